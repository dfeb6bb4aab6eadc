package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

// The reason for becoming MASTER is reported as a Takeover, and kept.
func TestTakeover(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
		lead   func(r *rig) // to a claim
		want   Takeover
	}{
		{"owner", func(c *Config) { c.Priority = PriorityOwner }, func(*rig) {}, TakeoverPriority},
		{"nobody heard", nil, func(*rig) {}, TakeoverNoResponse},
		{"MASTER silent", nil, func(r *rig) { r.receive(200, highAddr) }, TakeoverNoResponse},
		{"MASTER gave up", nil, func(r *rig) { r.receive(200, highAddr); r.receive(PriorityStop, highAddr) }, TakeoverPriority},
		{"lower priority", nil, func(r *rig) {
			for range 4 { // up to the end of the timer, which nothing restarts
				r.now += 900 * time.Millisecond
				r.receive(50, lowAddr)
			}
		}, TakeoverPreempted},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, 3, test.change)
			r.event(Start{})
			if st := r.g.Member(0).Status(); test.change == nil && (st.Takeover != NoTakeover || st.UpSince.Sub(epoch) != r.now) {
				t.Errorf("as BACKUP: takeover %v, up since %v", st.Takeover, st.UpSince)
			}
			test.lead(r)
			if st := r.g.Member(0).State(); st != Master {
				r.now = r.g.Deadline().Sub(epoch)
				r.event(Elapsed{})
			}
			st := r.g.Member(0).Status()
			if st.State != Master || st.Takeover != test.want || st.Counters.BecameMaster != 1 {
				t.Errorf("%v, takeover %v, %d times; want %v: %s", st.State, st.Takeover, st.Counters.BecameMaster, test.want, st.Why)
			}
			r.receive(254, netip.MustParseAddr("192.0.2.9"))
			if st := r.g.Member(0).Status(); st.Takeover != test.want {
				t.Errorf("afterwards it is %v", st.Takeover)
			}
		})
	}
}

// Up is who takes part, whatever its state is otherwise.
func TestUpSince(t *testing.T) {
	r := newRig(t, 3, nil)
	since := func() time.Time { return r.g.Member(0).Status().UpSince }
	if !since().IsZero() {
		t.Errorf("before the start: up since %v", since())
	}
	r.now = time.Second
	r.master()
	if got := since().Sub(epoch); got != time.Second {
		t.Errorf("as MASTER: up since %v", got)
	}
	r.event(Faulted{Key: LinkFault, Problem: "no carrier", WireLost: true})
	if !since().IsZero() {
		t.Errorf("in FAULT: up since %v", since())
	}
	r.now += time.Minute
	r.event(Recovered{Key: LinkFault})
	if got := since().Sub(epoch); got != r.now {
		t.Errorf("recovered: up since %v, want %v", got, r.now)
	}
}

// What continued after an upgrade has been up, and MASTER, all the while.
func TestUpSinceResumed(t *testing.T) {
	began, later := epoch.Add(-time.Hour), epoch.Add(-time.Minute)
	r := newRig(t, 3, nil)
	r.event(Resume{State: Master, Since: later, UpSince: began, Takeover: TakeoverPreempted})
	st := r.g.Member(0).Status()
	if !st.UpSince.Equal(began) || st.Takeover != TakeoverPreempted || st.Counters.BecameMaster != 0 {
		t.Errorf("up since %v, takeover %v, %+v", st.UpSince, st.Takeover, st.Counters)
	}
	r = newRig(t, 3, nil)
	r.event(Resume{State: Backup, Since: later}) // of a binary that did not tell
	if st := r.g.Member(0).Status(); !st.UpSince.Equal(later) {
		t.Errorf("up since %v", st.UpSince)
	}
}

// A claim names the MASTER that has vanished, but not one that gave its addresses away
// or is heard still.
func TestClaimNamesWhoIsLost(t *testing.T) {
	none := netip.Addr{}
	for _, test := range []struct {
		name    string
		lead    func(r *rig)
		lost    netip.Addr
		planned bool
	}{
		{"nobody heard", func(*rig) {}, none, false},
		{"silent", func(r *rig) { r.receive(200, highAddr) }, highAddr, false},
		{"gave up", func(r *rig) { r.receive(200, highAddr); r.receive(PriorityStop, highAddr) }, none, true},
		{"preempted", func(r *rig) {
			for range 4 {
				r.now += 900 * time.Millisecond
				r.receive(50, lowAddr)
			}
		}, none, true},
		{"handed over, and nobody came", func(r *rig) {
			r.master()
			r.event(Yield{})
		}, none, true},
		{"handed over, and the successor is silent", func(r *rig) {
			r.master()
			r.event(Yield{})
			r.receive(50, lowAddr)
		}, lowAddr, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, 3, nil)
			r.event(Start{})
			test.lead(r)
			for n := 0; r.g.Member(0).State() != Master && n < 9; n++ {
				r.now = r.g.Deadline().Sub(epoch)
				r.event(Elapsed{})
			}
			if r.claimed.Lost != test.lost || r.claimed.Planned != test.planned {
				t.Errorf("lost %v, planned %v; want %v, %v", r.claimed.Lost, r.claimed.Planned, test.lost, test.planned)
			}
		})
	}
}
