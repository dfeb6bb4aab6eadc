package director

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"slices"
	"sync"
	"syscall"
	"time"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/netdev"
)

// listenPause is the pause between two attempts of listeners that could not listen.
// Most listen earlier, when addresses change.
const listenPause = 5 * time.Second

// listeners is the subsystem that answers HTTP on TCP ports.
type listeners struct {
	base
	api      *control.API
	problems func([]status.Problem)

	conf  *conf.Config
	all   []*listener // in the order of the configuration
	retry *time.Timer // nil: no listener waits for another attempt
}

// A listener is one of them.
type listener struct {
	conf    conf.Listen
	server  *control.Server // nil: it does not listen
	ifindex int             // of the device when it began to listen
	since   time.Time       // since when it has listened or not
	err     error           // why it does not listen
	// certificates is nil without TLS, and certErr why the newest cannot be used.
	certificates *control.Certificates
	certErr      error
}

// apply starts and stops listeners. One that stays the same goes on, and reads its
// certificates again.
func (ls *listeners) apply(c *conf.Config) {
	ls.conf = c
	before := ls.all
	ls.all = nil
	for i := range c.Listens {
		want := &c.Listens[i]
		at := slices.IndexFunc(before, func(l *listener) bool { return reflect.DeepEqual(&l.conf, want) })
		if at < 0 {
			ls.all = append(ls.all, ls.newListener(want))
			continue
		}
		ls.all = append(ls.all, before[at])
		before = slices.Delete(before, at, at+1)
	}
	for _, l := range before {
		ls.hangUp(l)
	}
	for _, l := range ls.all {
		if c := l.certificates; c != nil {
			ls.spawn(func() { _ = c.Reload() }) // which says by itself what fails
		}
	}
	ls.attempt()
}

func (ls *listeners) newListener(c *conf.Listen) *listener {
	l := &listener{conf: *c, since: time.Now()}
	if c.TLS.Cert == "" {
		return l
	}
	l.certificates = control.NewCertificates(control.CertificateSource{
		Load:    func() (tls.Certificate, *x509.CertPool, error) { return c.TLS.Load() },
		Files:   c.TLS.Files(),
		Require: c.TLS.Require, MinVersion: c.TLS.MinVersion,
		Failed: func(err error) {
			ls.post(func() {
				l.certErr = err
				ls.sayProblems()
			})
		},
	})
	return l
}

// attempt has those listen that do not, and tries again later if some cannot.
func (ls *listeners) attempt() {
	if ls.retry != nil {
		ls.retry.Stop()
		ls.retry = nil
	}
	waiting := false
	for _, l := range ls.all {
		if l.server == nil {
			ls.start(l)
		}
		waiting = waiting || l.server == nil
	}
	if waiting {
		ls.retry = time.AfterFunc(listenPause, func() { ls.post(ls.again) })
	}
	ls.sayProblems()
}

// again is attempt, unless the timer was stopped when it had already fired.
func (ls *listeners) again() {
	if ls.retry != nil {
		ls.attempt()
	}
}

// start listens, if that is possible now.
func (ls *listeners) start(l *listener) {
	socket, err := control.ListenTCP(l.conf.Address, l.conf.Device)
	if err != nil {
		l.err = err
		return
	}
	l.err, l.since, l.ifindex = nil, time.Now(), indexOf(l.conf.Device)
	server := ls.api.NewServer(l.door())
	l.server = server
	ls.log.Info("listening", "address", l.conf.Address, "serve", l.conf.Serve, "tls", l.certificates != nil)
	ls.spawn(func() {
		if err := server.Serve(socket); err != nil {
			ls.post(func() { ls.died(l, server, err) })
		}
	})
}

// died notes that a listener has stopped by itself; the next attempt starts it again.
func (ls *listeners) died(l *listener, s *control.Server, err error) {
	if l.server != s {
		return
	}
	l.server, l.err, l.since = nil, err, time.Now()
	ls.spawn(func() { closeServer(ls.base, s.Close) })
	ls.sayProblems()
	if ls.retry == nil {
		ls.retry = time.AfterFunc(listenPause, func() { ls.post(ls.again) })
	}
}

// door returns what the clients of a listener are given.
func (l *listener) door() control.Door {
	serves := func(part string) bool { return slices.Contains(l.conf.Serve, part) }
	host, _ := os.Hostname() // without one, it is called by its addresses
	return control.Door{
		Name: "the listener " + l.conf.Address.String(),
		API:  serves(conf.ListenAPI), Metrics: serves(conf.ListenMetrics), Page: serves(conf.ListenPage),
		Writer: control.CertificateWriter, Hosts: append([]string{host}, l.conf.Hosts...), Certificates: l.certificates,
	}
}

// linkChanged tries again when addresses have changed, and leaves a device that was
// replaced by another one of the same name.
func (ls *listeners) linkChanged(e *netdev.Event) {
	retry := false
	for _, l := range ls.all {
		device := e.Kind == netdev.LinkChanged && e.Present && e.Name == l.conf.Device
		if l.server != nil && device && e.Index != l.ifindex {
			ls.hangUp(l)
		}
		address := e.Kind == netdev.AddressChanged && e.Added && e.Prefix.Addr() == l.conf.Address.Addr()
		retry = retry || l.server == nil && (device || address)
	}
	if retry {
		ls.attempt()
	}
}

// tick says that a certificate has expired.
func (ls *listeners) tick() {
	if len(ls.all) > 0 {
		ls.sayProblems()
	}
}

// hangUp ends a listener: it frees the port at once, and answers under way go out.
func (ls *listeners) hangUp(l *listener) {
	s := l.server
	if l.server = nil; s == nil {
		return
	}
	l.since = time.Now()
	s.Deafen()
	ls.spawn(func() { closeServer(ls.base, s.Close) })
}

func closeServer(b base, end func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	if err := end(ctx); err != nil {
		b.log.Debug("clients were cut off", "err", err)
	}
}

// isVirtual reports whether the address of a listener is one that a virtual router
// of this director has while it is MASTER.
func (ls *listeners) isVirtual(l *listener) bool {
	has := func(list []conf.Address) bool {
		return slices.ContainsFunc(list, func(a conf.Address) bool { return a.Addr() == l.conf.Address.Addr() })
	}
	return slices.ContainsFunc(ls.conf.VRRP, func(in conf.Instance) bool { return has(in.Prefixes) || has(in.Excluded) })
}

// waits returns why a listener does not listen while nothing is wrong, or "".
func (ls *listeners) waits(l *listener) string {
	if l.server == nil && errors.Is(l.err, syscall.EADDRNOTAVAIL) && ls.isVirtual(l) {
		return "this director does not have the virtual address now"
	}
	return ""
}

// problem returns what is wrong with a listener, or "".
func (ls *listeners) problem(l *listener) string {
	expires := time.Time{}
	if l.certificates != nil {
		expires = l.certificates.Expires()
	}
	switch {
	case l.server == nil && ls.waits(l) == "" && l.err != nil:
		return explainListen(l.err)
	case l.certErr != nil:
		return fmt.Sprintf("the certificate: %v", l.certErr)
	case !expires.IsZero() && time.Now().After(expires):
		return "the certificate expired at " + expires.UTC().Format(time.RFC3339)
	}
	return ""
}

// explainListen says why a port cannot be listened on.
func explainListen(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this host does not have the address"
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program, or another [[listen]], listens on the port"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return err.Error()
}

func (ls *listeners) sayProblems() {
	var all []status.Problem
	for _, l := range ls.all {
		if text := ls.problem(l); text != "" {
			all = append(all, status.Problem{Kind: "listen", Name: l.conf.Address.String(), Interface: l.conf.Device, Text: fmt.Sprintf("listener %v: %s", l.conf.Address, text)})
		}
	}
	ls.problems(all)
}

func (ls *listeners) report(s *status.Status) {
	for _, l := range ls.all {
		r := status.Listener{
			Address: l.conf.Address.String(), Device: l.conf.Device, Serve: l.conf.Serve, TLS: l.certificates != nil,
			Listening: l.server != nil, Since: l.since, Waits: ls.waits(l), Problem: ls.problem(l),
		}
		if l.certificates != nil {
			r.CertificateExpires = l.certificates.Expires()
		}
		s.Listen = append(s.Listen, r)
	}
}

// suspend closes the ports for the next binary. Clients that follow events are told
// that it answers soon.
func (ls *listeners) suspend() { ls.end((*control.Server).Leave) }

func (ls *listeners) close() { ls.end((*control.Server).Close) }

// end closes all listeners at once, and waits for answers under way.
func (ls *listeners) end(how func(*control.Server, context.Context) error) {
	if ls.retry != nil {
		ls.retry.Stop()
		ls.retry = nil
	}
	var closing sync.WaitGroup
	for _, l := range ls.all {
		if s := l.server; s != nil {
			l.server = nil
			closing.Go(func() { closeServer(ls.base, func(ctx context.Context) error { return how(s, ctx) }) })
		}
	}
	closing.Wait()
}

// indexOf returns the index of an interface, or 0.
func indexOf(name string) int {
	if name == "" {
		return 0
	}
	i, err := net.InterfaceByName(name)
	if err != nil {
		return 0
	}
	return i.Index
}
