package bfd

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// retryPause is the pause between attempts to open a socket.
	retryPause = time.Second
	// relaxLimit is how long RelaxTimers waits for the neighbours' confirmation.
	relaxLimit = time.Second
	// batchLen bounds how many packets are read from one socket at once. It is a
	// full socket queue of the shortest packets: all packets that arrived within a
	// detection time are read before that time ends.
	batchLen = 4096
)

// Options are what a Speaker needs.
type Options struct {
	Log *slog.Logger
	// OnChange receives every change, in order. The speaker's goroutine calls it,
	// so it must not call the speaker.
	OnChange func(Change)
	// Realtime gives the thread of the calling goroutine real-time priority. nil
	// means that the priority stays as it is.
	Realtime func() error
}

// A Speaker runs sessions in one goroutine. Its methods may be called from
// any other goroutine.
type Speaker struct {
	log      *slog.Logger
	onChange func(Change)
	wake     int // eventfd
	done     chan struct{}

	mu    sync.Mutex
	queue []func()
	ended bool

	// The fields below belong to the goroutine.
	table   *table
	rx      map[rxKey]*rxSocket
	retry   time.Time // when what could not be opened is tried again; zero: all is open
	settled []chan struct{}
	closing bool
	buf     [512]byte
	control [256]byte
	packet  [PacketLen]byte
}

// NewSpeaker returns a speaker without sessions.
func NewSpeaker(o Options) (*Speaker, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("open the BFD speaker: create eventfd: %w", err)
	}
	s := &Speaker{
		log: o.Log, onChange: o.OnChange, wake: wake, done: make(chan struct{}),
		table: newTable(), rx: map[rxKey]*rxSocket{},
	}
	go s.run(o.Realtime)
	return s, nil
}

// Apply makes the sessions those of configs. A session to the same neighbour
// with the same addresses continues; one that is not configured any more
// enters AdminDown. known are the sessions that another process saved, age
// ago; nil means none.
func (s *Speaker) Apply(configs []Config, known map[string]SavedSession, age time.Duration) {
	s.do(func() { s.apply(time.Now(), configs, known, age) })
}

// LinkChanged says that the named interfaces may have appeared, vanished or
// been replaced. Without names, any may have.
func (s *Speaker) LinkChanged(names ...string) {
	s.post(func() {
		for _, e := range s.table.list {
			if len(names) == 0 || e.Interface != "" && slices.Contains(names, e.Interface) {
				s.open(time.Now())
				return
			}
		}
	})
}

// RelaxTimers prepares an upgrade: neighbours are asked to wait longer for
// our packets. It returns when they have confirmed it, or after a second.
// Apply restores the timers.
func (s *Speaker) RelaxTimers() {
	settled := make(chan struct{})
	s.do(func() {
		now := time.Now()
		for _, e := range s.table.list {
			e.machine.relaxTimers(now)
			s.perform(e)
		}
		s.settled = append(s.settled, settled)
		s.notifySettled()
	})
	select {
	case <-settled:
	case <-s.done:
	case <-time.After(relaxLimit):
	}
}

// Save returns the sessions that are Up, by name.
func (s *Speaker) Save() map[string]SavedSession {
	all := map[string]SavedSession{}
	s.do(func() {
		for _, e := range s.table.list {
			if e.machine.state == Up {
				all[e.Name] = e.saved()
			}
		}
	})
	return all
}

// AdminDown puts all sessions into AdminDown, until Close.
func (s *Speaker) AdminDown() {
	s.do(func() {
		now := time.Now()
		for _, e := range s.table.list {
			if e.machine.state != AdminDown {
				e.machine.end(now)
				s.perform(e)
			}
		}
	})
}

// Close ends the speaker. Every session sends AdminDown, again if AdminDown
// did so before: the first packet may have been lost.
func (s *Speaker) Close() {
	s.do(func() {
		now := time.Now()
		for _, e := range s.table.list {
			e.machine.end(now)
			s.perform(e)
		}
		s.closing = true
	})
	<-s.done
}

// post queues f for the goroutine. It returns false if that has ended.
func (s *Speaker) post(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.queue = append(s.queue, f)
	one := [8]byte{1, 1, 1, 1}
	_, _ = unix.Write(s.wake, one[:]) // fails only if it is full, and then it wakes too
	return true
}

// do runs f in the goroutine and waits for it.
func (s *Speaker) do(f func()) {
	ready := make(chan struct{})
	if s.post(func() { f(); close(ready) }) {
		<-ready
	}
}

// run is the goroutine.
func (s *Speaker) run(realtime func() error) {
	defer close(s.done)
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	if realtime != nil {
		if err := realtime(); err != nil {
			s.log.Debug("BFD may be late on a busy machine", "err", err)
		}
	}
	for !s.closing {
		s.wait()
		now := time.Now()
		for _, e := range s.rx {
			s.receive(now, e)
		}
		s.elapse(now)
		s.work()
	}
	s.mu.Lock()
	s.ended = true
	rest := s.queue
	s.queue = nil
	s.mu.Unlock()
	for _, f := range rest {
		f()
	}
	for _, e := range s.table.list {
		s.closeTx(e)
	}
	s.closeRxExcept(func(rxKey) bool { return false })
	unix.Close(s.wake)
}

// wait waits for a packet, a deadline or a queued function.
func (s *Speaker) wait() {
	fds := make([]unix.PollFd, 1, 1+len(s.rx))
	fds[0] = unix.PollFd{Fd: int32(s.wake), Events: unix.POLLIN}
	for _, e := range s.rx {
		fds = append(fds, unix.PollFd{Fd: int32(e.fd), Events: unix.POLLIN})
	}
	var timeout *unix.Timespec
	next := s.table.timers.Next()
	if !s.retry.IsZero() && (next.IsZero() || s.retry.Before(next)) {
		next = s.retry
	}
	if !next.IsZero() {
		t := unix.NsecToTimespec(max(0, time.Until(next).Nanoseconds()))
		timeout = &t
	}
	if _, err := unix.Ppoll(fds, timeout, nil); err != nil && !errors.Is(err, unix.EINTR) {
		s.log.Error("cannot wait for BFD packets", "err", err)
		time.Sleep(retryPause) // rather than turn without end
	}
}

// work runs the queued functions.
func (s *Speaker) work() {
	_, _ = unix.Read(s.wake, s.buf[:8])
	s.mu.Lock()
	queue := s.queue
	s.queue = nil
	s.mu.Unlock()
	for _, f := range queue {
		f()
	}
}

// receive reads what has arrived on a socket.
func (s *Speaker) receive(now time.Time, e *rxSocket) {
	var d Datagram
	for range batchLen {
		if !e.read(s.buf[:], s.control[:], &d) {
			return
		}
		if to := s.table.receive(now, &d); to != nil {
			s.perform(to)
			s.notifySettled()
		}
	}
}

// elapse handles every deadline that has passed.
func (s *Speaker) elapse(now time.Time) {
	for item := s.table.timers.Due(now); item != nil; item = s.table.timers.Due(now) {
		item.Value.machine.elapse(now)
		s.perform(item.Value)
	}
	if !s.retry.IsZero() && !now.Before(s.retry) {
		s.open(now)
	}
}

// perform sends and reports what an event of the session's machine produced.
func (s *Speaker) perform(e *session) {
	for i := range e.machine.out {
		s.send(e, &e.machine.out[i])
	}
	for _, c := range e.machine.changes {
		s.onChange(c)
	}
	e.machine.begin()
	s.table.plan(e)
}

func (s *Speaker) send(e *session, p *Packet) {
	if e.tx == nil {
		return // e.trouble says why there is no socket
	}
	if err := e.tx.send(p.Append(s.packet[:0])); err != nil {
		e.unsent++
		e.sendFail = fmt.Sprintf("send: %v", err)
		return
	}
	e.sent++
	e.sendFail = ""
}

// notifySettled wakes RelaxTimers when no session polls any more.
func (s *Speaker) notifySettled() {
	if len(s.settled) == 0 || slices.ContainsFunc(s.table.list, func(e *session) bool { return e.machine.polling }) {
		return
	}
	for _, c := range s.settled {
		close(c)
	}
	s.settled = nil
}

// apply is Apply in the goroutine.
func (s *Speaker) apply(now time.Time, configs []Config, known map[string]SavedSession, age time.Duration) {
	stay := map[string]*session{}
	for _, e := range s.table.list {
		if i := slices.IndexFunc(configs, func(c Config) bool { return c.Name == e.Name }); i >= 0 && e.sameSession(&configs[i]) {
			stay[e.Name] = e
			continue
		}
		// The old session ends before a new one with this neighbour begins.
		e.machine.end(now)
		s.perform(e)
		s.closeTx(e)
		s.table.forget(e)
	}
	s.table.list = nil
	for i := range configs {
		c := &configs[i]
		if e := stay[c.Name]; e != nil {
			s.change(now, e, c)
			continue
		}
		var k *SavedSession
		if m, ok := known[c.Name]; ok && m.Config.sameSession(c) && m.fresh(age) {
			k = &m
		}
		s.begin(now, c, k)
	}
	s.open(now)
}

// change gives a session that continues its new timers.
func (s *Speaker) change(now time.Time, e *session, c *Config) {
	e.Config = *c
	s.table.list = append(s.table.list, e)
	if e.machine.Timers != c.Timers {
		e.machine.retime(now, c.Timers)
		s.perform(e)
	}
}

// begin adds a session. k is what another process saved of it, or nil.
func (s *Speaker) begin(now time.Time, c *Config, k *SavedSession) {
	e := &session{Config: *c, machine: machine{Timers: c.Timers, name: c.Name, jitter: rand.Float64}}
	m, wish := &e.machine, uint16(0)
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
	s.perform(e)
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
	s.closeRxExcept(func(k rxKey) bool { return wanted[k] })
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
	if err != nil {
		return err.Error()
	}
	if s.rx[e.rxKey()] == nil {
		var others []*rxSocket
		for _, o := range s.rx {
			others = append(others, o)
		}
		new, err := openRx(e.rxKey(), others)
		if err != nil {
			return err.Error()
		}
		s.rx[e.rxKey()] = new
	}
	if e.tx == nil {
		if e.tx, err = openTx(&e.Config, wish, rand.Uint32); err != nil {
			return err.Error()
		}
	}
	return ""
}

// closeTx closes a session's transmit socket.
func (s *Speaker) closeTx(e *session) {
	if e.tx != nil {
		unix.Close(e.tx.fd)
		e.tx = nil
	}
}

func (s *Speaker) closeRx(e *rxSocket) {
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
