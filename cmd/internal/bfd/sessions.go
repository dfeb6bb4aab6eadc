package bfd

import (
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A User wants a session at run time, beside those of the configuration. There is one
// session for each neighbour and interface: a session of the configuration serves the
// user too, with its own timers and source address, and without one the first user of
// the pair decides on them.
type User struct {
	Config // Name is the user's own; Multihop is not set
	// Heed receives what the session is when the user gets it (From and To are equal),
	// and every change of it, under the name of the user. The loop calls it before it
	// runs anything else, so Heed must not wait. It may call Add and Remove.
	Heed func(Change)
}

// hear passes a change on.
func (u *User) hear(c Change) {
	c.Name = u.Name
	u.Heed(c)
}

// Add gives a user a session, or replaces the user of that name. It does not wait, and
// may be called in the loop.
func (s *Speaker) Add(u User) {
	s.post(func() {
		s.users = append(s.without(u.Name), &u)
		s.reconcile(time.Now())
	})
}

// Remove ends the session of a user, unless others want it too. It does not wait, and
// may be called in the loop.
func (s *Speaker) Remove(name string) {
	s.post(func() {
		s.users = s.without(name)
		s.reconcile(time.Now())
	})
}

func (s *Speaker) without(name string) []*User {
	return slices.DeleteFunc(slices.Clone(s.users), func(u *User) bool { return u.Name == name })
}

// A wish is a session that there is to be.
type wish struct {
	Config
	listed bool // in the configuration
	users  []*User
	have   *session // nil: it has yet to begin
}

// serves reports whether a session is to the neighbour of a user and on its interface.
func (w *wish) serves(u *User) bool {
	return !w.Multihop && w.Neighbour == u.Neighbour && (w.Interface == u.Interface || w.Interface == "")
}

// wishes returns the sessions that the configuration and the users want.
func (s *Speaker) wishes() []*wish {
	var all []*wish
	for i := range s.configs {
		all = append(all, &wish{Config: s.configs[i], listed: true})
	}
	for _, u := range s.users {
		i := slices.IndexFunc(all, func(w *wish) bool { return w.serves(u) })
		if i < 0 {
			i = len(all)
			all = append(all, &wish{Config: u.Config})
		}
		all[i].users = append(all[i].users, u)
	}
	return all
}

// reconcile begins the sessions that are wanted, changes those that there are, and
// ends those that nobody wants any more.
func (s *Speaker) reconcile(now time.Time) {
	all := s.wishes()
	for _, e := range s.table.list {
		i := slices.IndexFunc(all, func(w *wish) bool { return w.have == nil && e.sameSession(&w.Config) })
		if i >= 0 {
			all[i].have = e
			continue
		}
		// The old session ends before a new one with this neighbour begins.
		e.machine.end(now)
		s.perform(now, e)
		s.closeTx(e)
		s.table.forget(e)
	}
	s.table.list = nil
	for _, w := range all {
		var former []*User
		if w.have == nil {
			s.begin(now, w)
		} else {
			former = w.have.users
			s.change(now, w)
		}
		w.have.greet(former)
	}
	s.open(now)
	s.tellUrgent()
	s.rewatch = true
	s.expectNone()
}

// urgentDetection is the detection time below which a loop that is late by some
// milliseconds can cost a session.
const urgentDetection = 100 * time.Millisecond

// urgent reports whether the detection time of one end is to be below urgentDetection.
func (c *Config) urgent() bool {
	return time.Duration(c.Multiplier)*min(c.MinTx, c.MinRx) < urgentDetection
}

// Urgent returns what OnUrgent was called with last.
func (s *Speaker) Urgent() (sessions []string) {
	s.do(func() { sessions = s.urgent })
	return sessions
}

// tellUrgent says which sessions are urgent, when others are than before.
func (s *Speaker) tellUrgent() {
	var names []string
	for _, e := range s.table.list {
		if e.urgent() {
			names = append(names, e.Name)
		}
	}
	if !slices.Equal(names, s.urgent) {
		s.urgent = names
		s.onUrgent(names)
	}
}

// greet tells users that the session did not have before what it is.
func (s *session) greet(former []*User) {
	m := &s.machine
	for _, u := range s.users {
		if !slices.Contains(former, u) {
			u.hear(Change{At: m.since, From: m.state, To: m.state, Diag: m.diag, Verdict: m.verdict, Reason: m.reason})
		}
	}
}

// change gives a session that continues its new timers, name and users.
func (s *Speaker) change(now time.Time, w *wish) {
	e := w.have
	e.Config, e.listed, e.users, e.machine.name = w.Config, w.listed, w.users, w.Name
	s.table.list = append(s.table.list, e)
	if e.machine.Timers != w.Timers {
		e.machine.retime(now, w.Timers)
		s.perform(now, e)
	}
}

// begin adds a session, or continues one that another process saved.
func (s *Speaker) begin(now time.Time, w *wish) {
	e := &session{Config: w.Config, listed: w.listed, users: w.users, machine: machine{Timers: w.Timers, name: w.Name, jitter: s.jitter}}
	w.have = e
	m, wish := &e.machine, uint16(0)
	k := s.takeKnown(now, &w.Config)
	if k != nil {
		m.local, wish = k.Local, k.Port
	} else {
		m.local = s.table.discriminator(rand.Uint32)
	}
	s.table.add(e)
	e.trouble = s.openSession(e, wish)
	if k != nil {
		m.resume(now, k)
	} else {
		m.start(now)
	}
	s.perform(now, e)
}

// know takes over the sessions that another process saved, age ago.
func (s *Speaker) know(now time.Time, known map[string]SavedSession, age time.Duration) {
	s.known, s.knownAt = nil, now.Add(-age)
	for _, k := range known {
		s.known = append(s.known, k)
	}
}

// takeKnown returns a session that another process saved, if its neighbour still waits
// for our next packet, and nil otherwise.
func (s *Speaker) takeKnown(now time.Time, c *Config) *SavedSession {
	i := slices.IndexFunc(s.known, func(k SavedSession) bool {
		return k.Config.sameSession(c) && k.fresh(now.Sub(s.knownAt)) && s.table.byDisc[k.Local] == nil
	})
	if i < 0 {
		return nil
	}
	k := s.known[i]
	s.known = slices.Delete(s.known, i, i+1)
	return &k
}

// open opens the sockets that are missing or belong to a former interface,
// and closes the receive sockets that no session needs any more.
func (s *Speaker) open(now time.Time) {
	wanted := map[rxKey]bool{}
	s.retry = time.Time{}
	for _, e := range s.table.list {
		wanted[e.rxKey()] = true
		e.trouble = s.openSession(e, 0)
		if e.trouble != "" {
			s.retry = now.Add(retryPause)
		}
	}
	s.openWires()
	s.closeRxExcept(func(k rxKey) bool { return wanted[k] || s.wires[k] != nil })
}

// openWires opens the receive sockets for strangers.
func (s *Speaker) openWires() {
	for k := range s.wires {
		index, err := deviceIndex(k.device)
		if have := s.rx[k]; have != nil && (err != nil || have.index != index) {
			s.closeRx(have)
		}
		if err == nil && s.rx[k] == nil {
			err = s.openRx(k)
		}
		if err != nil {
			s.retry = time.Now().Add(retryPause)
		}
	}
}

// openSession opens a session's sockets. It returns what prevents that, or
// "".
func (s *Speaker) openSession(e *session, wish uint16) string {
	index, err := deviceIndex(e.Interface)
	if e.tx != nil && (err != nil || e.tx.index != index) {
		s.closeTx(e)
	}
	if have := s.rx[e.rxKey()]; have != nil && (err != nil || have.index != index) {
		s.closeRx(have)
	}
	if err == nil && s.rx[e.rxKey()] == nil {
		err = s.openRx(e.rxKey())
	}
	if err == nil && e.tx == nil {
		e.tx, err = openTx(&e.Config, wish, rand.Uint32)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// openRx opens a receive socket and has the loop watch it.
func (s *Speaker) openRx(k rxKey) error {
	var others []*rxSocket
	for _, o := range s.rx {
		others = append(others, o)
	}
	e, err := openRx(k, others)
	if err != nil {
		return err
	}
	if err := s.watchSocket(e); err != nil {
		unix.Close(e.fd)
		return err
	}
	s.rx[k] = e
	s.rewatch = true
	return nil
}

// closeTx closes a session's transmit socket.
func (s *Speaker) closeTx(e *session) {
	if e.tx != nil {
		unix.Close(e.tx.fd)
		e.tx = nil
	}
}

func (s *Speaker) closeRx(e *rxSocket) {
	s.loop.Unwatch(e.fd)
	unix.Close(e.fd)
	delete(s.rx, e.rxKey)
}

// closeRxExcept closes the receive sockets that are not wanted.
func (s *Speaker) closeRxExcept(wanted func(rxKey) bool) {
	for k, e := range s.rx {
		if !wanted(k) {
			s.closeRx(e)
		}
	}
}
