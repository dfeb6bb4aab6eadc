package director

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
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
	servers map[netip.AddrPort]*montrap.Server
	failed  map[netip.AddrPort]error // why there is no server
	retry   *time.Timer              // nil: every server runs
}

// apply starts and stops servers. One whose address stays goes on.
func (m *monTraps) apply(c *conf.Config) {
	senders := monSenders(c.MonTraps.Senders)
	if m.servers == nil {
		m.servers = map[netip.AddrPort]*montrap.Server{}
	}
	for at, server := range m.servers {
		switch {
		case !slices.Contains(c.MonTraps.Listen, at):
			server.Close()
			delete(m.servers, at)
		case !reflect.DeepEqual(senders, m.senders):
			server.SetSenders(senders)
		}
	}
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
			problems = append(problems, status.Problem{Kind: "mon_traps", Name: at.String(), Text: fmt.Sprintf("traps of mon are not received at %v: %s", at, explainListen(err))})
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

func (m *monTraps) start(at netip.AddrPort) error {
	server, err := montrap.Listen(at, m.senders, func(from netip.Addr, t *montrap.Trap) error {
		m.log.Debug("a trap of mon", "from", from, "service", t.Group+":"+t.Service, "status", t.Status)
		return m.receive(t.Group, t.Service, t.Status, t.Output)
	}, m.log)
	if err != nil {
		return err
	}
	m.servers[at] = server
	m.log.Info("receiving traps of mon", "address", at)
	m.spawn(func() {
		if err := server.Serve(); err != nil {
			m.log.Warn("traps of mon are not received for now", "address", at, "err", err)
			m.post(func() { m.died(at, server) })
		}
	})
	return nil
}

// died notes that a server has ended by itself.
func (m *monTraps) died(at netip.AddrPort, s *montrap.Server) {
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
			r.Problem = explainListen(err)
		}
		s.MonTraps = append(s.MonTraps, r)
	}
}

func (m *monTraps) suspend() { m.close() }

func (m *monTraps) stop() error { m.close(); return nil }

func (m *monTraps) close() {
	m.stopRetry()
	for at, server := range m.servers {
		server.Close()
		delete(m.servers, at)
	}
}
