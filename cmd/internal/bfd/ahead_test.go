package bfd

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A calendar is a loop that notes what it is to send.
type calendar struct {
	Loop
	at     []time.Time
	sent   int
	failed unix.Errno
	cannot bool
}

func (c *calendar) SendAhead(at time.Time, _ int, _ *unix.Msghdr) bool {
	c.at = append(c.at, at)
	return !c.cannot
}

func (c *calendar) SentAhead() (int, unix.Errno) { return c.sent, c.failed }

// planning returns a speaker with two sessions that are up. The next packet of the second
// one is due a little later.
func planning() (*Speaker, *calendar) {
	loop := &calendar{}
	s := NewSpeaker(Options{Loop: loop})
	for i := range 2 {
		e := upSession()
		e.machine.local += uint32(i)
		e.machine.jitter = s.jitter
		e.tx, e.quick = &txSocket{}, true
		e.machine.lastSent = epoch
		e.machine.due = epoch.Add(time.Duration(8+i) * ms)
		e.machine.expires = epoch.Add(time.Second)
		s.table.add(e)
		s.table.plan(e)
	}
	return s, loop
}

// What is planned are the next packets of all quick sessions, together, as far apart as
// their jitter allows, until somebody has to decide.
func TestPlanAhead(t *testing.T) {
	s, loop := planning()
	s.planAhead(epoch)
	if len(s.ahead) < 20 || len(loop.at) != len(s.ahead) {
		t.Fatalf("planned %d packets, told the loop of %d", len(s.ahead), len(loop.at))
	}
	last := map[*session]time.Time{s.table.list[0]: epoch, s.table.list[1]: epoch}
	found := false // each other
	for i, p := range s.ahead {
		if gap := p.at.Sub(last[p.session]); gap < 7500*time.Microsecond || gap > 10*ms || !p.next.After(p.at) {
			t.Errorf("packet %d comes %v after the one before", i, gap)
		}
		last[p.session] = p.at
		together := i > 0 && p.at == s.ahead[i-1].at
		if found && !together && (i+1 == len(s.ahead) || p.at != s.ahead[i+1].at) {
			t.Errorf("packet %d leaves alone", i)
		}
		found = found || together
	}
	if !found {
		t.Error("all packets leave alone")
	}
	if first := s.ahead[0].at; first != epoch.Add(8*ms) {
		t.Errorf("the first leaves at %v", first)
	}
	if end := s.Deadline(); end.Sub(epoch) > aheadLimit || end.Sub(last[s.table.list[0]]) > 10*ms {
		t.Errorf("the next turn comes after %v", end.Sub(epoch))
	}
}

// A session that would fall has its turn, and so does one that sends seldom.
func TestPlanEnds(t *testing.T) {
	for name, change := range map[string]func(e *session){
		"falls":         func(e *session) { e.machine.expires = epoch.Add(25 * ms) },
		"sends seldom":  func(e *session) { e.quick, e.machine.due = false, epoch.Add(25*ms) },
		"is in doubt":   func(e *session) { e.machine.doubt = epoch.Add(25 * ms) },
		"has no socket": func(e *session) { e.tx, e.machine.due = nil, epoch.Add(25*ms) },
	} {
		s, _ := planning()
		e := s.table.list[1]
		change(e)
		s.table.plan(e)
		s.planAhead(epoch)
		if len(s.ahead) == 0 || s.Deadline() != epoch.Add(25*ms) {
			t.Errorf("one %s: %d packets planned, the next turn after %v", name, len(s.ahead), s.Deadline().Sub(epoch))
		}
	}
	s, loop := planning()
	loop.cannot = true
	s.planAhead(epoch)
	if len(s.ahead) != 0 || s.Deadline() != epoch.Add(8*ms) {
		t.Errorf("a loop that cannot: %d packets planned, the next turn after %v", len(s.ahead), s.Deadline().Sub(epoch))
	}
}

// A plan that is full before somebody has to decide does not put that off.
func TestPlanFull(t *testing.T) {
	s, _ := planning()
	for len(s.table.list) < aheadPackets {
		e := upSession()
		e.machine.local, e.machine.jitter = uint32(100+len(s.table.list)), s.jitter
		e.tx, e.quick = &txSocket{}, true
		e.machine.lastSent, e.machine.due, e.machine.expires = epoch, epoch.Add(8*ms), epoch.Add(9*ms)
		s.table.add(e)
		s.table.plan(e)
	}
	s.planAhead(epoch)
	if len(s.ahead) < aheadPackets || s.Deadline() != epoch.Add(9*ms) {
		t.Errorf("%d packets planned, the next turn after %v", len(s.ahead), s.Deadline().Sub(epoch))
	}
}

// The machines learn what has left; the rest is still due.
func TestCollect(t *testing.T) {
	s, loop := planning()
	s.planAhead(epoch)
	plan := append([]planned(nil), s.ahead...)
	s.watch.promised = s.Deadline()
	loop.sent, loop.failed = 3, unix.ENETDOWN
	s.collect()
	first, second := s.table.list[0], s.table.list[1]
	if first.sent != 1 || first.unsent != 1 || first.sendFail != unix.ENETDOWN || second.sent != 1 || second.sendFail != 0 {
		t.Errorf("counted %d and %d, refused %d for %v and %d", first.sent, second.sent, first.unsent, first.sendFail, second.unsent)
	}
	if m := &first.machine; m.lastSent != plan[2].at || m.due != plan[2].next {
		t.Errorf("the first sent at %v and does again at %v", m.lastSent, m.due)
	}
	if m := &second.machine; m.lastSent != plan[1].at || m.due != plan[1].next {
		t.Errorf("the second sent at %v and does again at %v", m.lastSent, m.due)
	}
	if s.watch.promised != plan[3].at || len(s.ahead) != 0 || s.Deadline() != s.table.timers.Next() {
		t.Errorf("the turn was promised for %v, want %v, and is due at %v", s.watch.promised, plan[3].at, s.Deadline())
	}
}
