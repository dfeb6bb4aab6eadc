package bfd

import (
	"strings"
	"testing"
	"time"

	"holdfast/integration/tools"
)

// A turn is as late as its deadline has passed and the machine was suspended, by clocks
// that do not agree to the microsecond.
func TestWatch(t *testing.T) {
	at := epoch.Add
	var w watch
	for _, tt := range []struct {
		promised, now time.Time
		asleep, want  time.Duration
	}{
		{time.Time{}, at(time.Hour), 50, 0},
		{at(10 * ms), at(9 * ms), 60, 10},
		{at(20 * ms), at(20 * ms), 40, 0},
		{at(30 * ms), at(90 * ms), 40, 60 * ms},
		{at(100 * ms), at(101 * ms), 40 + time.Hour, time.Hour + ms},
		{at(110 * ms), at(110 * ms), 40 + time.Hour, 0},
		{time.Time{}, at(time.Hour), 40 + 2*time.Hour, 0},
	} {
		w.promised = tt.promised
		if got := w.turn(tt.now, tt.asleep); got != tt.want {
			t.Errorf("turn at %v of %v, asleep %v: late by %v, want %v", tt.now.Sub(epoch), tt.promised.Sub(epoch), tt.asleep, got, tt.want)
		}
	}
}

// upSession returns a session that is Up with detection times of 30 ms.
func upSession() *session {
	fast := Timers{MinTx: 10 * ms, MinRx: 10 * ms, IdleTx: time.Second, Multiplier: 3}
	s := &session{machine: *newMachine("s", 11, fast)}
	s.machine.start(epoch)
	p := Packet{State: Init, Multiplier: 3, Mine: 22, Yours: 11, MinTx: 10 * ms, MinRx: 10 * ms}
	s.machine.receive(epoch, epoch, &p)
	p.State, p.Final = Up, true
	s.machine.receive(epoch, epoch, &p)
	return s
}

// Lateness explains a fall if it was long enough, and for a second or so.
func TestOwnFault(t *testing.T) {
	for _, tt := range []struct {
		late, after, want time.Duration
	}{
		{14 * ms, 0, 0},
		{15 * ms, 0, 15 * ms},
		{time.Hour, time.Second, time.Hour},
		{time.Hour, 1030 * ms, time.Hour},
		{time.Hour, 1031 * ms, 0},
	} {
		s := upSession()
		s.noted(epoch, tt.late)
		if got := s.ownFault(epoch.Add(tt.after)); got != tt.want {
			t.Errorf("late by %v, %v ago: %v, want %v", tt.late, tt.after, got, tt.want)
		}
	}
	s := upSession()
	s.noted(epoch, time.Hour)
	s.noted(epoch.Add(time.Second), 20*ms)
	if got := s.ownFault(epoch.Add(2 * time.Second)); got != time.Hour {
		t.Errorf("twice late: %v, want the longer", got)
	}
	s.noted(epoch.Add(time.Minute), 20*ms)
	if got := s.ownFault(epoch.Add(time.Minute)); got != 20*ms {
		t.Errorf("late long after: %v, want 20ms", got)
	}
	s.machine.expire(epoch.Add(time.Minute))
	c := s.machine.changes[0]
	if s.judge(epoch.Add(time.Minute), &c); c.Late != 20*ms || !strings.HasSuffix(c.Reason, "expired; this machine was late by 20ms itself") || s.machine.reason != c.Reason {
		t.Errorf("%+v; the session says %q", c, s.machine.reason)
	}
}

// A turn that was too short for the neighbour to miss our packets explains a fall only
// until the neighbour is heard again: it is in no hurry.
func TestOwnFaultBesidePatience(t *testing.T) {
	for _, tt := range []struct{ late, settled, ends time.Duration }{
		{20 * ms, 0, 1030 * ms},
		{1500 * ms, 3 * time.Second, 4 * time.Second},
	} {
		s := upSession()
		s.machine.remote.MinRx = time.Second
		s.noted(epoch, tt.late)
		if s.excuse != (excuse{late: tt.late, noted: epoch, settled: epoch.Add(tt.settled), ends: epoch.Add(tt.ends)}) {
			t.Errorf("late by %v: %+v", tt.late, s.excuse)
		}
		s.noted(epoch, 16*ms) // takes nothing back
		if s.excuse != (excuse{late: tt.late, noted: epoch, settled: epoch.Add(tt.settled), ends: epoch.Add(tt.ends)}) {
			t.Errorf("late by %v, and again: %+v", tt.late, s.excuse)
		}
	}
}

// A late turn does not explain a fall any more when the neighbour is Up after it would
// have missed too many packets.
func TestOutlived(t *testing.T) {
	for _, tt := range []struct {
		state State
		after time.Duration
		want  time.Duration
	}{
		{Up, 30 * ms, 20 * ms}, // may have been sent before
		{Up, 31 * ms, 0},
		{Init, 31 * ms, 20 * ms},
		{Down, 31 * ms, 20 * ms},
	} {
		s := upSession()
		s.MinTTL = HopLimit
		table := newTable()
		table.add(s)
		s.noted(epoch, 20*ms)
		at := epoch.Add(tt.after)
		p := Packet{State: tt.state, Multiplier: 3, Mine: 22, Yours: 11, MinTx: 10 * ms, MinRx: 10 * ms}
		if table.receive(at, &Datagram{TTL: HopLimit, Arrived: at, Payload: p.Append(nil)}) != s {
			t.Fatalf("the packet was dropped: %v", s.lastDrop)
		}
		if got := s.ownFault(at.Add(ms)); got != tt.want {
			t.Errorf("%v after %v: late by %v, want %v", tt.state, tt.after, got, tt.want)
		}
	}
}

// A machine that slept and hears its MASTER again may still be told that it was missed.
// But that the MASTER then falls silent is not its fault.
func TestOutlivedBySilence(t *testing.T) {
	s := upSession()
	s.machine.remote.MinRx = time.Second
	s.noted(epoch, 10*time.Second)
	p := Packet{State: Up}
	s.outlived(epoch, &p) // it arrived during the sleep
	if got := s.excuses(epoch.Add(30*ms), DiagExpired); got != 10*time.Second {
		t.Errorf("not heard since: excused by %v", got)
	}
	s.outlived(epoch.Add(ms), &p)
	for why, want := range map[Diag]time.Duration{DiagExpired: 0, DiagNeighbourDown: 10 * time.Second} {
		if got := s.excuses(epoch.Add(31*ms), why); got != want {
			t.Errorf("%v: excused by %v, want %v", why, got, want)
		}
	}
	s.noted(epoch.Add(40*ms), 20*ms)
	if got := s.excuses(epoch.Add(50*ms), DiagExpired); got == 0 {
		t.Error("late once more: not excused")
	}
}

// The kernel's time stamp counts, as far as it is possible: its clock may have been
// set meanwhile.
func TestArrival(t *testing.T) {
	now := time.Now() // with a monotonic clock
	since := now.Add(-time.Second)
	stamp := func(d time.Duration) time.Time { return now.Round(0).Add(d) } // without
	for _, tt := range []struct {
		stamp time.Duration
		want  time.Time
	}{
		{-300 * ms, now.Add(-300 * ms)}, {0, now}, {time.Hour, now}, {-time.Hour, since}, {-time.Second, since},
	} {
		if got := arrival(stamp(tt.stamp), since, now); !got.Equal(tt.want) || got.Sub(now) != tt.want.Sub(now) {
			t.Errorf("stamped %v: %v from now, want %v", tt.stamp, got.Sub(now), tt.want.Sub(now))
		}
	}
}

// The time at which packets arrived counts on the wire, too: what a neighbour sent
// before it died does not hold its session up because it is read late.
func TestReadLate(t *testing.T) {
	here, there := newLAN(t)
	fast := func(c Config) Config {
		c.MinTx, c.MinRx, c.Multiplier = 50*ms, 50*ms, 10
		return c
	}
	for _, at := range []string{"10.0.0.2 10.0.0.1", "fe80::2 fe80::1"} { // both families have stamps of their own
		neighbour, own, _ := strings.Cut(at, " ")
		a, heard := here.speak(fast(single("s", neighbour, "", "eth0")))
		b, _ := there.speak(fast(single("s", own, "", "eth0")))
		awaitUp(t, a)
		awaitUp(t, b)
		tools.Await(t, "the detection time is short", func() (any, bool) {
			st := statuses(a)["s"]
			return st, st.Detection == 500*ms
		})
		var last time.Time
		a.do(func() { // b dies without a word while a is stalled
			time.Sleep(200 * ms)
			b.do(func() { b.closeTx(b.table.list[0]) })
			last = time.Now()
			time.Sleep(800 * ms)
		})
		ended := time.Now()
		tools.Await(t, "the session has fallen", func() (any, bool) { c := heard.last("s"); return c, c.To == Down })
		c := heard.last("s")
		// 500 ms after the last packet, that is at once, and not 500 ms after it was read.
		if c.At.Sub(ended) > 400*ms || c.Late < 500*ms || c.Late > c.At.Sub(last)+300*ms || !strings.Contains(c.Reason, "this machine was late") {
			t.Errorf("%s: fell %v after the stall: %+v", neighbour, c.At.Sub(ended), c)
		}
		a.Close()
		b.Close()
	}
}
