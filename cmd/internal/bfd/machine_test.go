package bfd

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var usual = Timers{MinTx: 100 * time.Millisecond, MinRx: 200 * time.Millisecond, IdleTx: time.Second, Multiplier: 3}

const ms = time.Millisecond

// A link is two machines and a wire between them that takes some time. What
// happens is a value: nothing waits.
type link struct {
	t     *testing.T
	now   time.Time
	ends  [2]*machine
	cut   [2]bool // what the end sends is lost
	wire  []flight
	sent  [2][]sent
	story []string // changes of state
}

type flight struct {
	at time.Time
	to int
	p  Packet
}

type sent struct {
	at time.Time
	p  Packet
}

const delay = ms

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newMachine(name string, local uint32, t Timers) *machine {
	n := 0
	return &machine{Timers: t, name: name, local: local, jitter: func() float64 { // all of the range, in turn
		n++
		return float64(n*7%16) / 16
	}}
}

func newLink(t *testing.T, a, b Timers) *link {
	l := &link{t: t, now: epoch, ends: [2]*machine{newMachine("a", 11, a), newMachine("b", 22, b)}}
	for i, m := range l.ends {
		m.start(l.now)
		l.take(i)
	}
	return l
}

// take puts on the wire what an event of an end had it send.
func (l *link) take(end int) {
	m := l.ends[end]
	for _, p := range m.out {
		l.sent[end] = append(l.sent[end], sent{l.now, p})
		if !l.cut[end] {
			// As bytes: what the codec loses is lost here too.
			var q Packet
			if drop := Decode(p.Append(nil), &q); drop != DropNone {
				l.t.Fatalf("%s sent what must be dropped (%v): %+v", m.name, drop, p)
			}
			l.wire = append(l.wire, flight{l.now.Add(delay), 1 - end, q})
		}
	}
	for _, c := range m.changes {
		l.story = append(l.story, fmt.Sprintf("%v %s %v->%v verdict %d: %s", c.At.Sub(epoch).Round(ms), c.Name, c.From, c.To, c.Verdict, c.Reason))
	}
	m.begin()
}

// run lets time go by.
func (l *link) run(d time.Duration) {
	for end := l.now.Add(d); ; {
		next := end
		for _, m := range l.ends {
			if at := m.deadline(); !at.IsZero() && at.Before(next) {
				next = at
			}
		}
		if len(l.wire) > 0 && l.wire[0].at.Before(next) {
			next = l.wire[0].at
		}
		if next.Before(l.now) {
			l.t.Fatalf("a deadline has gone by: %v before %v", next, l.now)
		}
		l.now = next
		if !next.Before(end) {
			return
		}
		for len(l.wire) > 0 && !l.wire[0].at.After(l.now) {
			f := l.wire[0]
			l.wire = l.wire[1:]
			l.ends[f.to].receive(l.now, l.now, &f.p)
			l.take(f.to)
		}
		for i, m := range l.ends {
			if at := m.deadline(); !at.IsZero() && !at.After(l.now) {
				m.elapse(l.now)
				l.take(i)
			}
		}
	}
}

// states returns the state of both ends.
func (l *link) states() string { return fmt.Sprintf("%v %v", l.ends[0].state, l.ends[1].state) }

func (l *link) want(states string) {
	l.t.Helper()
	if got := l.states(); got != states {
		l.t.Fatalf("after %v: %s, want %s\n%s", l.now.Sub(epoch), got, states, strings.Join(l.story, "\n"))
	}
}

// gaps returns the time between the packets of an end since a moment.
func (l *link) gaps(end int, since time.Time) (gaps []time.Duration) {
	var last time.Time
	for _, s := range l.sent[end] {
		if !last.IsZero() && last.After(since) {
			gaps = append(gaps, s.at.Sub(last))
		}
		last = s.at
	}
	return gaps
}

func TestComesUp(t *testing.T) {
	l := newLink(t, usual, Timers{MinTx: 150 * ms, MinRx: 50 * ms, IdleTx: time.Second, Multiplier: 4})
	l.run(3 * time.Second)
	l.want("Up Up")
	for i, m := range l.ends {
		if m.polling || m.txInForce != m.MinTx || m.verdict != VerdictUp || m.diag != DiagNone {
			t.Errorf("end %d: polling %v, in force %v, verdict %v, diag %v", i, m.polling, m.txInForce, m.verdict, m.diag)
		}
		if m.remote.Discriminator != l.ends[1-i].local {
			t.Errorf("end %d knows discriminator %d", i, m.remote.Discriminator)
		}
	}
	// The neighbour's multiplier, and the slower of what we can bear and it wants.
	if a, b := l.ends[0].detection(), l.ends[1].detection(); a != 4*200*ms || b != 3*100*ms {
		t.Errorf("detection times %v and %v", a, b)
	}
	// Nobody sends faster than the other can bear, less the jitter.
	since := l.now
	l.run(20 * time.Second)
	for end, interval := range []time.Duration{100 * ms, 200 * ms} {
		gaps := l.gaps(end, since)
		low, high := slices.Min(gaps), slices.Max(gaps)
		if low < interval*3/4 || high >= interval || high-low < interval/10 {
			t.Errorf("end %d sends every %v to %v, want 75 to 100 %% of %v", end, low, high, interval)
		}
	}
	if len(l.story) != 4 { // Init and Up, each
		t.Errorf("changes:\n%s", strings.Join(l.story, "\n"))
	}
}

// Packets are a second apart until the session is up, so that a neighbour that
// is not there costs nothing.
func TestSlowWhileDown(t *testing.T) {
	l := newLink(t, usual, usual)
	l.cut = [2]bool{true, true}
	l.run(time.Minute)
	gaps := l.gaps(0, epoch)
	if low, high := slices.Min(gaps), slices.Max(gaps); low < 750*ms || high > time.Second {
		t.Errorf("every %v to %v", low, high)
	}
	for _, s := range l.sent[0] {
		if s.p.MinTx != time.Second || s.p.State != Down || s.p.Yours != 0 {
			t.Fatalf("sent %+v", s.p)
		}
	}
	want := []string{"3s a Down->Down verdict 2: no packet from the neighbour has arrived", "3s b Down->Down verdict 2: no packet from the neighbour has arrived"}
	if !slices.Equal(l.story, want) {
		t.Errorf("changes %q", l.story)
	}
}

// With a multiplier of 1 a packet goes out a tenth early at least.
func TestJitterOfOne(t *testing.T) {
	one := usual
	one.Multiplier, one.MinRx = 1, 100*ms
	l := newLink(t, one, one)
	l.run(3 * time.Second)
	l.want("Up Up")
	since := l.now
	l.run(10 * time.Second)
	gaps := l.gaps(0, since)
	if low, high := slices.Min(gaps), slices.Max(gaps); low < 75*ms || high > 90*ms {
		t.Errorf("every %v to %v", low, high)
	}
	l.want("Up Up")
}

// A fall by silence tells how often packets were expected, at the neighbour's pace or ours.
func TestFallTellsInterval(t *testing.T) {
	for _, tt := range []struct{ theirs, want time.Duration }{{10 * ms, 200 * ms}, {300 * ms, 300 * ms}} {
		m := newMachine("s", 11, usual)
		m.start(epoch)
		m.receive(epoch, epoch, &Packet{State: Init, Multiplier: 3, Mine: 22, Yours: 11, MinTx: tt.theirs, MinRx: 10 * ms})
		m.elapse(m.expires)
		if c := m.changes[0]; c.To != Down || c.Interval != tt.want {
			t.Errorf("the neighbour sends every %v: %+v, want interval %v", tt.theirs, c, tt.want)
		}
	}
}

func TestDetection(t *testing.T) {
	l := newLink(t, usual, usual)
	l.run(5 * time.Second)
	l.want("Up Up")
	l.cut[1] = true
	l.story = nil
	var last time.Time // that arrived
	for _, s := range l.sent[1] {
		last = s.at.Add(delay)
	}
	before := l.now
	l.run(601 * ms)
	l.want("Down Down")
	if at := l.ends[0].since; at.Before(last.Add(600*ms)) || at.After(before.Add(600*ms+delay)) {
		t.Errorf("down %v after the last packet, want 600ms", at.Sub(last))
	}
	if len(l.story) != 2 || !strings.HasSuffix(l.story[0], "a Up->Down verdict 2: no packet for 600ms: control detection time expired") ||
		!strings.HasSuffix(l.story[1], "b Up->Down verdict 2: the neighbour reports Down: control detection time expired") {
		t.Errorf("changes %q", l.story)
	}
	// The one that received nothing says why, at once.
	i := slices.IndexFunc(l.sent[0], func(s sent) bool { return s.p.Diag == DiagExpired })
	if i < 0 || !l.sent[0][i].at.Equal(l.ends[0].since) || l.sent[0][i].p.Yours != 0 {
		t.Errorf("the neighbour is told %+v", l.sent[0][i:])
	}
	l.run(10 * time.Second)
	l.want("Down Init") // one hears the other
	l.cut[1] = false
	l.run(3 * time.Second)
	l.want("Up Up")
	for i, m := range l.ends {
		if m.ups != 2 || m.downs != 1 || m.verdict != VerdictUp || m.diag != DiagNone {
			t.Errorf("end %d: up %d times, down %d, verdict %v, diag %v", i, m.ups, m.downs, m.verdict, m.diag)
		}
	}
}

// A late look at a machine whose packets were read first finds nothing wrong.
func TestNoDetectionWhilePacketsCome(t *testing.T) {
	m := newMachine("a", 11, usual)
	m.start(epoch)
	up := Packet{State: Init, Multiplier: 3, Mine: 22, Yours: 11, MinTx: 100 * ms, MinRx: 100 * ms}
	m.receive(epoch, epoch, &up)
	up.State = Up
	for now := epoch; now.Before(epoch.Add(10 * time.Second)); now = now.Add(599 * ms) {
		m.receive(now, now, &up)
		m.elapse(now)
		if m.state != Up {
			t.Fatalf("%v after %v", m.state, now.Sub(epoch))
		}
	}
}

// A restarted neighbour is noticed though it never was silent.
func TestNeighbourRestarts(t *testing.T) {
	l := newLink(t, usual, usual)
	l.run(5 * time.Second)
	l.ends[1] = newMachine("b", 33, usual)
	l.ends[1].start(l.now)
	l.run(3 * time.Second)
	l.want("Up Up")
	if m := l.ends[0]; m.remote.Discriminator != 33 || m.downs != 1 {
		t.Errorf("knows discriminator %d, was down %d times", m.remote.Discriminator, m.downs)
	}
}

// AdminDown says nothing of the way to the neighbour: the session falls, the
// verdict stays. What comes after it counts again.
func TestAdminDown(t *testing.T) {
	l := newLink(t, usual, usual)
	l.run(5 * time.Second)
	l.story = nil
	l.ends[1].end(l.now)
	l.take(1)
	l.run(time.Minute)
	l.want("Down AdminDown")
	a := l.ends[0]
	if a.verdict != VerdictUp || a.diag != DiagNeighbourDown || !strings.Contains(l.story[1], "AdminDown") {
		t.Errorf("verdict %v, diag %v, changes %q", a.verdict, a.diag, l.story)
	}
	if last := l.sent[1][len(l.sent[1])-1].p; last.State != AdminDown || last.Diag != DiagAdminDown {
		t.Errorf("says %+v", last)
	}
	// It is turned on again, and hears nothing.
	l.ends[1] = newMachine("b", 33, usual)
	l.cut[0] = true
	l.ends[1].start(l.now)
	l.run(2 * time.Second)
	if l.want("Init Down"); a.verdict != VerdictUp {
		t.Errorf("verdict %v before anybody can know", a.verdict)
	}
	l.run(2 * time.Second)
	if a.verdict != VerdictDown {
		t.Errorf("verdict %v of a neighbour that does not hear us", a.verdict)
	}
	l.cut[0] = false
	l.run(3 * time.Second)
	l.want("Up Up")
}

// Nor does it keep one waiting that has just started.
func TestAdminDownFromTheBeginning(t *testing.T) {
	m := newMachine("a", 11, usual)
	m.start(epoch)
	m.receive(epoch, epoch, &Packet{State: AdminDown, Multiplier: 3, Mine: 22, MinTx: time.Second, MinRx: time.Second})
	if len(m.changes) != 1 || m.changes[0].Verdict != VerdictUp || m.state != Down {
		t.Errorf("%v, changes %+v", m.state, m.changes)
	}
}

func TestPassive(t *testing.T) {
	passive := usual
	passive.Passive = true
	l := newLink(t, usual, passive)
	l.cut[0] = true
	l.run(10 * time.Second)
	if len(l.sent[1]) != 0 {
		t.Errorf("sent %+v to nobody", l.sent[1])
	}
	l.cut[0] = false
	l.run(3 * time.Second)
	l.want("Up Up")
	l.cut = [2]bool{true, true}
	l.run(10 * time.Second)
	l.want("Down Down")
	if last := l.sent[1][len(l.sent[1])-1]; !last.at.Before(l.ends[1].since) {
		t.Errorf("speaks on to a neighbour that is gone: %+v", last)
	}
	both := newLink(t, passive, passive)
	both.run(10 * time.Second)
	if len(both.sent[0])+len(both.sent[1]) != 0 {
		t.Error("two passive ones speak")
	}
}

// An end that has not polled yet when its timers change polls for the new ones alone. Its
// next packet may be due a second later.
func TestPollOnce(t *testing.T) {
	patient := Timers{MinTx: 10 * ms, MinRx: time.Second, IdleTx: time.Second, Multiplier: 3}
	m := newMachine("m", 11, patient)
	m.start(epoch)
	p := Packet{State: Down, Multiplier: 3, Mine: 22, MinTx: time.Second, MinRx: time.Second}
	m.receive(epoch, epoch, &p)
	p.State, p.Yours, p.Poll, p.MinTx = Up, 11, true, 10*ms
	m.receive(epoch, epoch, &p)
	if len(m.out) != 1 || !m.out[0].Final || !m.polling {
		t.Fatalf("came up with %+v, polling %v", m.out, m.polling)
	}
	hasty := patient
	hasty.MinRx = 10 * ms
	m.retime(epoch, hasty)
	if len(m.out) != 1 || !m.out[0].Poll || m.out[0].MinRx != 10*ms {
		t.Errorf("polls with %+v", m.out)
	}
	p.Poll, p.Final = false, true
	m.receive(epoch, epoch, &p)
	if m.polling || m.detection() != 30*ms {
		t.Errorf("after the answer: polling %v, detection time %v", m.polling, m.detection())
	}
}

// Timers change under a running session by a poll sequence, without a flap:
// slower only once the neighbour knows, in both directions.
func TestPollSequence(t *testing.T) {
	l := newLink(t, usual, usual)
	l.run(5 * time.Second)
	l.story = nil
	slow := Timers{MinTx: 2 * time.Second, MinRx: 3 * time.Second, IdleTx: time.Second, Multiplier: 3}
	a := l.ends[0]
	l.cut[0] = true
	a.retime(l.now, slow)
	l.take(0)
	if a.txInForce != 100*ms || a.interval() != 200*ms || a.rxInForce != 3*time.Second {
		t.Errorf("before the neighbour knows: tx %v, every %v, rx %v", a.txInForce, a.interval(), a.rxInForce)
	}
	l.run(300 * ms) // the polls are lost
	l.cut[0] = false
	for _, s := range l.sent[0][len(l.sent[0])-2:] {
		if !s.p.Poll || s.p.MinTx != 2*time.Second || s.p.MinRx != 3*time.Second {
			t.Errorf("sent %+v", s.p)
		}
	}
	l.run(time.Second)
	if a.polling || a.interval() != 2*time.Second || l.ends[1].interval() != 3*time.Second || l.ends[1].detection() != 6*time.Second {
		t.Errorf("afterwards: polling %v, every %v, the neighbour every %v, its detection time %v",
			a.polling, a.interval(), l.ends[1].interval(), l.ends[1].detection())
	}
	l.run(time.Minute)
	a.retime(l.now, usual)
	l.take(0)
	if a.interval() != 200*ms || a.rxInForce != 3*time.Second {
		t.Errorf("back: every %v, rx %v before the neighbour knows", a.interval(), a.rxInForce)
	}
	l.run(time.Minute)
	if a.polling || a.rxInForce != 200*ms || l.ends[1].interval() != 200*ms {
		t.Errorf("back: polling %v, rx %v, the neighbour every %v", a.polling, a.rxInForce, l.ends[1].interval())
	}
	if l.want("Up Up"); len(l.story) != 0 {
		t.Errorf("changes %q", l.story)
	}
}

// Each poll is answered at once, by a packet that does not poll itself.
func TestFinal(t *testing.T) {
	m := newMachine("a", 11, usual)
	m.start(epoch)
	p := Packet{State: Init, Poll: true, Multiplier: 3, Mine: 22, Yours: 11, MinTx: 100 * ms, MinRx: 100 * ms}
	for range 2 {
		m.receive(epoch, epoch, &p)
		if len(m.out) != 1 || !m.out[0].Final || m.out[0].Poll || m.out[0].State != Up || !m.polling {
			t.Fatalf("answered %+v, polling %v", m.out, m.polling)
		}
		p.State = Up
	}
	p.Poll, p.Final = false, true
	m.receive(epoch, epoch, &p)
	if m.polling || len(m.out) != 0 {
		t.Errorf("polling %v, sent %+v", m.polling, m.out)
	}
}

// A neighbour may ask for silence, by demand mode or by a receive interval of 0.
func TestSilenceOnDemand(t *testing.T) {
	for _, ask := range []Packet{
		{State: Up, Demand: true, Multiplier: 3, Mine: 22, Yours: 11, MinTx: 100 * ms, MinRx: 100 * ms},
		{State: Up, Multiplier: 3, Mine: 22, Yours: 11, MinTx: 100 * ms},
	} {
		m := newMachine("a", 11, usual)
		m.start(epoch)
		up := ask
		up.Demand, up.MinRx, up.State = false, 100*ms, Init
		m.receive(epoch, epoch, &up)
		ask.Final = true
		m.receive(epoch, epoch, &ask)
		if m.interval() != 0 || !m.due.IsZero() {
			t.Errorf("%+v: sends every %v", ask, m.interval())
		}
		m.expire(epoch.Add(time.Minute))
		if m.interval() != time.Second {
			t.Errorf("%+v, then gone: sends every %v", ask, m.interval())
		}
	}
}

// What another process had Up goes on: the neighbour sees the same
// discriminator, never anything but Up, and at first the slow pace that it was
// prepared for.
func TestResume(t *testing.T) {
	l := newLink(t, usual, usual)
	l.run(5 * time.Second)
	l.story = nil
	a := l.ends[0]
	a.relaxTimers(l.now)
	l.take(0)
	l.run(10 * ms)
	if a.polling || l.ends[1].detection() != 3*time.Second {
		t.Fatalf("polling %v, the neighbour waits for %v", a.polling, l.ends[1].detection())
	}
	s := session{Config: Config{Timers: usual}, machine: *a}
	k := s.saved()
	l.ends[0] = newMachine("a", k.Local, usual)
	l.cut[0] = true // the old one is gone, the new one not yet there
	l.run(2 * time.Second)
	l.cut[0] = false
	if !k.fresh(2*time.Second) || k.fresh(3*time.Second) {
		t.Error("the neighbour's detection time is three seconds")
	}
	l.ends[0].resume(l.now, &k)
	l.take(0)
	l.run(time.Minute)
	l.want("Up Up")
	if len(l.story) != 0 || l.ends[1].detection() != 600*ms || l.ends[0].detection() != 600*ms {
		t.Errorf("changes %q, detection times %v, %v", l.story, l.ends[0].detection(), l.ends[1].detection())
	}
	if k.Since.IsZero() || !l.ends[0].since.Equal(k.Since) {
		t.Errorf("since %v, was %v", l.ends[0].since, k.Since)
	}
}
