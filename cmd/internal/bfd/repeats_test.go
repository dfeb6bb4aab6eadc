package bfd

import (
	"strings"
	"testing"
	"time"

	"holdfast/integration/tools"
	"holdfast/netdev/port"
)

// watching returns a speaker with two sessions, one of each family, by which it watches a
// neighbour that sends each 5 ms, and that neighbour. It has heard each for a while.
func watching(t *testing.T) (a, b *testSpeaker, heard *witness) {
	t.Helper()
	here, there := newLAN(t)
	timers := func(c Config, minRx time.Duration) Config {
		c.MinTx, c.MinRx, c.Multiplier = 5*ms, minRx, 20
		return c
	}
	a, heard = here.speak(timers(single("four", "10.0.0.2", "10.0.0.1", "eth0"), 5*ms), timers(single("six", "fe80::2", "fe80::1", "eth0"), 5*ms))
	b, _ = there.speak(timers(single("four", "10.0.0.1", "10.0.0.2", "eth0"), time.Second), timers(single("six", "fe80::1", "fe80::2", "eth0"), time.Second))
	tools.Await(t, "packets are heard during the wait", func() (any, bool) {
		list := statuses(a)
		in := 0
		a.do(func() { in = len(a.heard) })
		return list, in == 2 || !a.canReceiveAhead()
	})
	return a, b, heard
}

// canReceiveAhead reports whether the loop can hear sessions during its wait.
func (s *testSpeaker) canReceiveAhead() (can bool) {
	var e port.Repeats
	s.do(func() { can = s.loop.ReceiveAhead(&e, -1, time.Now(), 0, time.Now(), make([]port.MMsghdr, 1)) })
	return can
}

// Packets that say nothing new are heard without a turn of the loop, and counted.
func TestHear(t *testing.T) {
	a, _, heard := watching(t)
	if !a.canReceiveAhead() {
		return // this build's loop cannot
	}
	before, turns := statuses(a), 0
	received := func() (n uint64) {
		for _, e := range a.table.list {
			n += e.received
		}
		return n
	}
	a.do(func() {
		for start := received(); received() < start+200; turns++ {
			if _, err := a.loop.(*port.Port).Receive(a.Deadline(), nil); err != nil {
				t.Error(err)
				return
			}
			a.Turn()
		}
	})
	if turns > 20 {
		t.Errorf("%d turns for 200 packets", turns)
	}
	for name, st := range statuses(a) {
		if st.State != Up || st.Heard.Before(before[name].Heard.Add(100*ms)) || st.Downs != 0 || heard.last(name).To != Up {
			t.Errorf("%s: %+v, before %+v", name, st, before[name])
		}
	}
}

// Who falls silent is noticed after the detection time, and who says something else is
// heard when it would be over, at the latest.
func TestHearEnds(t *testing.T) {
	for what, tt := range map[string]struct {
		end  func(b *testSpeaker)
		want string
		diag Diag
	}{
		"silence":   {func(b *testSpeaker) { b.do(func() { b.silence() }) }, "no packet for 100ms", DiagExpired},
		"AdminDown": {func(b *testSpeaker) { b.AdminDown() }, "AdminDown", DiagNeighbourDown},
	} {
		a, b, heard := watching(t)
		tt.end(b)
		ended := time.Now()
		for name := range statuses(a) {
			tools.Await(t, name+" has fallen", func() (any, bool) { c := heard.last(name); return c, c.To == Down })
			c := heard.last(name)
			if took := c.At.Sub(ended); took > 200*ms && c.Late == 0 || c.Diag != tt.diag || !strings.Contains(c.Reason, tt.want) {
				t.Errorf("%s: %s fell after %v: %+v", what, name, took, c)
			}
		}
		a.Close()
		b.Close()
	}
}

// silence has all sessions send nothing any more.
func (s *testSpeaker) silence() {
	for _, e := range s.table.list {
		s.closeTx(e)
	}
}

// A neighbour that wants its answer is answered, and other timers are in force then.
func TestHearPoll(t *testing.T) {
	a, b, _ := watching(t)
	b.RelaxTimers()
	for name, st := range statuses(b) {
		if st.Interval != time.Second {
			t.Errorf("%s sends each %v after it was relaxed", name, st.Interval)
		}
	}
	for name, st := range statuses(a) {
		if st.Detection != 20*time.Second || st.State != Up {
			t.Errorf("%s: %+v", name, st)
		}
	}
}
