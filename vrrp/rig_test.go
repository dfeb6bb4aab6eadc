package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A rig drives one machine by hand and answers its claims at once.
type rig struct {
	t   *testing.T
	g   *Group
	now time.Duration // since epoch
	// claimed is the last Claim.
	claimed Action
}

var (
	lowAddr  = netip.MustParseAddr("192.0.2.1")
	ownAddr  = netip.MustParseAddr("192.0.2.50")
	highAddr = netip.MustParseAddr("192.0.2.200")
)

// newRig makes a machine of priority 100 and interval 1 s, changed by change.
func newRig(t *testing.T, version uint8, change func(*Config)) *rig {
	t.Helper()
	cfg := Config{Name: "test", Family: IPv4, Version: version, VRID: 10, Priority: 100, Interval: time.Second,
		Preempt: true, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.100")}}
	if change != nil {
		change(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, g: NewGroup("", cfg)}
	r.event(Primary{ownAddr})
	return r
}

// event lets an event happen and returns the actions, without reasons and
// without whether what is claimed is served.
func (r *rig) event(ev Event) []string {
	var done []string
	actions := slices.Clone(r.g.Step(epoch.Add(r.now), 0, ev))
	for _, a := range actions {
		if a.Verb == Claim {
			r.claimed = a.Action
		}
		text, _, _ := strings.Cut(a.String(), " (")
		done = append(done, strings.TrimSuffix(text, " unserved"))
	}
	if slices.Contains(done, "claim") {
		done = append(done, r.event(Claimed{})...)
	}
	return done
}

// elapse goes to the deadline, which must be at d, and returns the actions.
func (r *rig) elapse(d time.Duration) []string {
	r.t.Helper()
	r.wantDeadline(d)
	r.now = d
	return r.event(Elapsed{})
}

// receive lets an advert of 1 s interval arrive.
func (r *rig) receive(priority uint8, source netip.Addr) []string {
	return r.receiveInterval(priority, source, time.Second)
}

func (r *rig) receiveInterval(priority uint8, source netip.Addr, interval time.Duration) []string {
	cfg := r.g.Member(0).Config()
	return r.event(&Received{Source: source, Advert: &Advert{Version: cfg.Version, VRID: cfg.VRID,
		Priority: priority, Interval: interval, Addresses: cfg.Addresses}})
}

func (r *rig) want(what string, got []string, want ...string) {
	r.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("%s: actions (-want +got):\n%s", what, diff)
	}
}

func (r *rig) wantDeadline(want time.Duration) {
	r.t.Helper()
	d := r.g.Deadline()
	if got := d.Sub(epoch); d.IsZero() || got != want {
		r.t.Errorf("deadline is %v, want %v", got, want)
	}
}

func (r *rig) wantNoDeadline() {
	r.t.Helper()
	if d := r.g.Deadline(); !d.IsZero() {
		r.t.Errorf("deadline is %v, want none", d.Sub(epoch))
	}
}

func (r *rig) wantState(want State, holding bool) {
	r.t.Helper()
	st := r.g.Member(0).Status()
	if st.State != want || st.Holding != holding {
		r.t.Errorf("state is %v, holding addresses %v; want %v, %v", st.State, st.Holding, want, holding)
	}
}

// backup brings the machine into BACKUP, master into MASTER. They return when.
func (r *rig) backup() time.Duration {
	r.event(Start{})
	return r.now
}

func (r *rig) master() time.Duration {
	r.event(Start{})
	r.now = r.g.Deadline().Sub(epoch)
	r.event(Elapsed{})
	if st := r.g.Member(0).State(); st != Master {
		r.t.Fatalf("state is %v, want MASTER", st)
	}
	return r.now
}

// both plays a test for version 2 and version 3.
func both(t *testing.T, test func(t *testing.T, version uint8)) {
	for _, version := range []uint8{2, 3} {
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) { test(t, version) })
	}
}

// Down intervals and skew times at priority 100 and 1 s, which both versions share.
const (
	skew100 = 609375 * time.Microsecond // 156/256 s
	down100 = 3*time.Second + skew100
)
