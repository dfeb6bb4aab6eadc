package director

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"syscall"
	"time"

	"holdfast/cmd/internal/montrap"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
)

// monTraps is the subsystem that receives traps of mon.
type monTraps struct {
	base
	// receive takes a trap, in any goroutine, and says why no service takes it.
	receive  func(group, service string, status int, output string) error
	problems func([]status.Problem)

	want    []netip.AddrPort
	senders []montrap.Sender
	servers map[netip.AddrPort]*trapServer
	failed  map[netip.AddrPort]error // why there is no server
	retry   *time.Timer              // nil: every server runs
	left    map[netip.AddrPort]int   // descriptors of the former binary
}

// A trapServer is a server with the goroutine that serves.
type trapServer struct {
	*montrap.Server
	ended chan struct{} // closed when it does not serve; nil: it was paused, and has ended
}

func (m *monTraps) restore(u *upgradeState) { m.left = u.TrapSockets }

// apply starts and stops servers. One whose address stays goes on.
func (m *monTraps) apply(c *conf.Config) {
	senders := monSenders(c.MonTraps.Senders)
	if m.servers == nil {
		m.servers = map[netip.AddrPort]*trapServer{}
	}
	m.inherit(c.MonTraps.Listen, senders)
	for at, server := range m.servers {
		switch {
		case !slices.Contains(c.MonTraps.Listen, at):
			server.Close()
			delete(m.servers, at)
		case !reflect.DeepEqual(senders, m.senders):
			server.SetSenders(senders)
		}
	}
	m.resume()
	m.want, m.senders = c.MonTraps.Listen, senders
	m.attempt()
}

func monSenders(all []conf.MonSender) []montrap.Sender {
	var list []montrap.Sender
	for i := range all {
		s := &all[i]
		list = append(list, montrap.Sender{From: s.From, User: s.User, Password: string(s.Password), Hash: string(s.Hash)})
	}
	return list
}

// attempt starts the servers that do not run, and tries again later if some cannot.
func (m *monTraps) attempt() {
	m.stopRetry()
	m.failed = map[netip.AddrPort]error{}
	var problems []status.Problem
	for _, at := range m.want {
		if m.servers[at] != nil {
			continue
		}
		if err := m.start(at); err != nil {
			m.failed[at] = err
			problems = append(problems, status.Problem{Kind: "mon_traps", Name: at.String(), Text: fmt.Sprintf("traps of mon are not received at %v: %s", at, m.explain(err))})
		}
	}
	if len(m.failed) > 0 {
		m.retry = time.AfterFunc(listenPause, func() { m.post(m.again) })
	}
	m.problems(problems)
}

// stopRetry ends the wait for the next attempt.
func (m *monTraps) stopRetry() {
	if m.retry != nil {
		m.retry.Stop()
		m.retry = nil
	}
}

// again is attempt, unless the timer was stopped when it had already fired.
func (m *monTraps) again() {
	if m.retry != nil {
		m.attempt()
	}
}

// explain says why traps cannot be received at an address.
func (*monTraps) explain(err error) string {
	if errors.Is(err, syscall.EADDRINUSE) {
		return "another program listens on the port: mon itself, or another line of listen in [mon_traps] with the address 0.0.0.0 or [::]"
	}
	return explainListen(err)
}

// inherit goes on with the sockets that the former binary has left. Traps have waited in
// them meanwhile.
func (m *monTraps) inherit(want []netip.AddrPort, senders []montrap.Sender) {
	left := m.left
	m.left = nil
	for at, fd := range left {
		server, err := montrap.Adopt(fd, at, senders, m.take, m.log)
		switch {
		case err != nil:
			m.log.Warn("the socket of the former binary for traps of mon is opened again", "address", at, "err", err)
		case !slices.Contains(want, at):
			server.Close()
		default:
			m.serve(at, server)
		}
	}
}

func (m *monTraps) take(from netip.Addr, t *montrap.Trap) error {
	m.log.Debug("a trap of mon", "from", from, "service", t.Group+":"+t.Service, "status", t.Status)
	return m.receive(t.Group, t.Service, t.Status, t.Output)
}

func (m *monTraps) start(at netip.AddrPort) error {
	server, err := montrap.Listen(at, m.senders, m.take, m.log)
	if err != nil {
		return err
	}
	m.log.Info("receiving traps of mon", "address", at)
	m.serve(at, server)
	return nil
}

// serve has a server receive, in a goroutine of its own.
func (m *monTraps) serve(at netip.AddrPort, server *montrap.Server) {
	s := &trapServer{server, make(chan struct{})}
	ended := s.ended
	m.servers[at] = s
	m.spawn(func() {
		defer close(ended)
		if err := server.Serve(); err != nil {
			m.log.Warn("traps of mon are not received for now", "address", at, "err", err)
			m.post(func() { m.died(at, s) })
		}
	})
}

// died notes that a server has ended by itself.
func (m *monTraps) died(at netip.AddrPort, s *trapServer) {
	if m.servers[at] != s {
		return
	}
	s.Close()
	delete(m.servers, at)
	m.stopRetry()
	m.retry = time.AfterFunc(listenPause, func() { m.post(m.again) })
}

func (m *monTraps) report(s *status.Status) {
	for _, at := range m.want {
		r := status.MonTraps{Address: at.String()}
		if server := m.servers[at]; server != nil {
			c := server.Counts()
			r.Listening, r.Taken, r.Refused, r.LastRefused, r.LastTaken = true, c.Taken, c.Refused, c.Last, c.LastSeen
		} else if err := m.failed[at]; err != nil {
			r.Problem = m.explain(err)
		}
		s.MonTraps = append(s.MonTraps, r)
	}
}

// suspend ends the receiving. The sockets stay open for the next binary, and take traps
// in until it reads them.
func (m *monTraps) suspend() {
	m.stopRetry()
	for _, s := range m.servers {
		s.Pause()
		<-s.ended // it waits for nobody
		s.ended = nil
	}
}

// resume has the servers receive that suspend has paused for a binary that did not come.
func (m *monTraps) resume() {
	for at, s := range m.servers {
		if s.ended != nil {
			continue
		}
		if err := s.Resume(); err != nil {
			s.Close()
			delete(m.servers, at) // it is tried again
			continue
		}
		m.serve(at, s.Server)
	}
}

func (m *monTraps) save(u *upgradeState) {
	u.TrapSockets = map[netip.AddrPort]int{}
	for at, s := range m.servers {
		u.TrapSockets[at] = s.FD()
	}
}

// handOn has the next binary inherit the sockets. Nothing may be started until takeBack.
func (m *monTraps) handOn() (takeBack func()) {
	for _, s := range m.servers {
		s.HandOn()
	}
	return func() {
		for _, s := range m.servers {
			s.Keep()
		}
	}
}

func (m *monTraps) stop() error { m.close(); return nil }

func (m *monTraps) close() {
	m.stopRetry()
	for at, server := range m.servers {
		server.Close()
		delete(m.servers, at)
	}
}
