package bfd

import (
	"log/slog"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"holdfast/netdev/port"
)

const (
	// retryPause is the pause between attempts to open a socket.
	retryPause = time.Second
	// relaxLimit is how long RelaxTimers waits for the neighbours' confirmation.
	relaxLimit = time.Second
)

// A Loop is what runs a Speaker: it calls Turn when a watched descriptor can be read,
// when Deadline is over and when it was woken, and End when it ends.
type Loop interface {
	// Watch has the loop watch a descriptor. ready takes a note that it can be read.
	Watch(fd int, ready func()) error
	// Unwatch undoes Watch. It is called before the descriptor is closed.
	Unwatch(fd int)
	// Wake has the loop call Turn. It may be called from any goroutine.
	Wake()
	// SendAhead has the loop send a message while it waits for the next turn, and go on
	// waiting. Messages come in the order of their moments. What has not left by that turn
	// is forgotten. It reports false if the loop cannot do it.
	SendAhead(at time.Time, fd int, message *unix.Msghdr) bool
	// SentAhead returns how many messages have left since the last turn, from the first,
	// and why the kernel refused the last of these; 0: it did not.
	SentAhead() (int, unix.Errno)
	// ReceiveAhead has the loop read a socket while it waits for the next turn, and go on
	// waiting as long as packets repeat the one that is expected: see port.Port. It reports
	// false if the loop cannot do it.
	ReceiveAhead(e *port.Repeats, fd int, at time.Time, keep time.Duration, emptied time.Time, messages []port.MMsghdr) bool
	// ReceivedAhead returns the messages that ended the wait, since the first of them does not.
	ReceivedAhead() (e *port.Repeats, from, to int)
}

// Options are what a Speaker needs.
type Options struct {
	Log *slog.Logger
	// OnChange receives every change, in order. The loop calls it, so it must not
	// wait, and must not call a method of the speaker that does.
	OnChange func(Change)
	// OnUrgent receives the names of the sessions whose detection time is below 100 ms,
	// whenever others are than before. They need a loop that is on time to some
	// milliseconds. The loop calls it, so it must not wait.
	OnUrgent func(sessions []string)
	Loop     Loop
}

// A Speaker runs sessions in the loop of somebody else, who calls Deadline, Turn and
// End. Its other methods may be called from any goroutine but the loop's.
type Speaker struct {
	log      *slog.Logger
	onChange func(Change)
	onUrgent func([]string)
	loop     Loop
	done     chan struct{} // closed by End

	mu    sync.Mutex
	queue []func()
	ended bool

	// The fields below belong to the loop.
	table   *table
	configs []Config // of the configuration
	users   []*User
	urgent  []string       // what OnUrgent was called with
	known   []SavedSession // of another process
	knownAt time.Time      // when that process saved them
	rx      map[rxKey]*rxSocket
	rewatch bool // what the loop watches may have to change
	// unwatched says that there are sockets which the loop does not watch.
	unwatched bool
	wires     map[rxKey]*quota // that strangers are told of
	retry     time.Time        // when what could not be opened is tried again; zero: all is open
	settled   []chan struct{}
	watch     watch
	chance    float64 // see draw
	batch     *batch
	datagram  Datagram
	ahead     []planned   // what the loop sends before the next turn
	heard     []*rxSocket // what the loop hears until then
	horizon   time.Time   // when that turn must come, if something is planned
}

// NewSpeaker returns a speaker without sessions.
func NewSpeaker(o Options) *Speaker {
	return &Speaker{
		log: o.Log, onChange: o.OnChange, onUrgent: o.OnUrgent, loop: o.Loop, done: make(chan struct{}),
		table: newTable(), rx: map[rxKey]*rxSocket{}, batch: newBatch(),
		watch: watch{start: time.Now()}, ahead: make([]planned, 0, 2*aheadPackets),
	}
}

// Apply makes the sessions of the configuration those of configs. A session to the
// same neighbour with the same addresses continues; one that nobody wants any more
// enters AdminDown. known are the sessions that another process saved, age ago; nil
// means none.
func (s *Speaker) Apply(configs []Config, known map[string]SavedSession, age time.Duration) {
	s.do(func() {
		now := time.Now()
		if known != nil {
			s.know(now, known, age)
		}
		s.configs = configs
		s.reconcile(now)
	})
}

// LinkChanged says that the named interfaces may have appeared, vanished or
// been replaced. Without names, any may have.
func (s *Speaker) LinkChanged(names ...string) {
	s.post(func() {
		if s.table.on(names) || len(s.wires) > 0 {
			s.open(time.Now())
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
			s.perform(now, e)
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

// AdminDown puts all sessions into AdminDown, until End.
func (s *Speaker) AdminDown() {
	s.do(func() {
		now := time.Now()
		for _, e := range s.table.list {
			if e.machine.state != AdminDown {
				e.machine.end(now)
				s.perform(now, e)
			}
		}
	})
}

// post queues f for the loop. It returns false if that has ended.
func (s *Speaker) post(f func()) bool {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return false
	}
	first := len(s.queue) == 0 // otherwise the loop was woken already
	s.queue = append(s.queue, f)
	s.mu.Unlock()
	if first {
		s.loop.Wake()
	}
	return true
}

// do runs f in the loop and waits for it.
func (s *Speaker) do(f func()) {
	ready := make(chan struct{})
	if s.post(func() { f(); close(ready) }) {
		<-ready
	}
}

// work runs the queued functions.
func (s *Speaker) work() {
	s.mu.Lock()
	queue := s.queue
	s.queue = nil
	s.mu.Unlock()
	for _, f := range queue {
		f()
	}
}

// End is called once by the loop when it ends. Every session sends AdminDown, again if
// the method AdminDown did so before: the first packet may have been lost.
func (s *Speaker) End() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.work()
	now := time.Now()
	for _, e := range s.table.list {
		e.machine.end(now)
		s.perform(now, e)
		s.closeTx(e)
	}
	s.table.list = nil
	s.closeRxExcept(func(rxKey) bool { return false })
	close(s.done)
}

// sinceBoot returns the time since boot, with the time that the machine was suspended.
func sinceBoot() time.Duration {
	var t unix.Timespec
	// A raw system call, because it does not block.
	if _, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_BOOTTIME, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		return 0
	}
	return time.Duration(t.Nano())
}
