package speaker

import (
	"slices"
	"testing"
	"time"

	"holdfast/vrrp"
)

// A lone router and a new one become a group: who runs stays MASTER, without an
// advert too many or too few, and keeps its counters.
func TestRegroupKeepsWhatRuns(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a := l.host(t, "192.0.2.1")
		a.begin(t, "", 200, "outside")
		time.Sleep(10 * time.Second)
		before := a.snapshot(t)
		inside := a.router("inside", 11, 200)
		inside.Events = []vrrp.Event{vrrp.Start{}}
		if err := a.Regroup([]Unit{{Name: "director", Running: []string{"outside"}, Routers: []Router{inside}}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		after := a.snapshot(t)
		was, is := before.Routers["outside"], after.Routers["outside"]
		if is.Machine.State != vrrp.Master || is.Machine.Since != was.Machine.Since {
			t.Errorf("outside is %v since %v", is.Machine.State, is.Machine.Since)
		}
		if sent := is.Machine.Counters.Sent - was.Machine.Counters.Sent; sent != 10 {
			t.Errorf("outside sent %d adverts in 10 s", sent)
		}
		if is.Counters.Since != was.Counters.Since {
			t.Error("outside lost its counters")
		}
		if g := after.Groups["director"]; g.State != vrrp.Master || !slices.Equal(g.Members, []string{"outside", "inside"}) {
			t.Errorf("the group is %+v", g)
		}
	})
}

// What a member hears first counts for its fellows before any of them starts: no member
// is BACKUP for a moment.
func TestGroupStartsAsOne(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a := l.host(t, "192.0.2.1")
		outside, inside := a.router("outside", 10, 200), a.router("inside", 11, 200)
		outside.Events = []vrrp.Event{vrrp.Start{}}
		inside.Events = []vrrp.Event{vrrp.Faulted{Key: "track:web", Problem: "not known yet", Pending: true}, vrrp.Start{}}
		if err := a.Add(Unit{Name: "director", Routers: []Router{outside, inside}})[0]; err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if state := a.snapshot(t).Groups["director"].State; state != vrrp.Init || len(a.reports) > 0 {
			t.Errorf("the group is %v, reports %+v", state, a.reports)
		}
		if err := a.Deliver("inside", vrrp.Recovered{Key: "track:web"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if state := a.snapshot(t).Groups["director"].State; state != vrrp.Master {
			t.Errorf("the group is %v", state)
		}
	})
}

// Members become lone, one leaves, and the one that stays has the group's
// fellows and faults no more.
func TestRegroupDissolves(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a := l.host(t, "192.0.2.1")
		a.begin(t, "director", 200, "outside", "inside", "dmz")
		time.Sleep(10 * time.Second)
		if err := a.Regroup([]Unit{{Running: []string{"outside"}}, {Running: []string{"inside"}}}, "dmz"); err != nil {
			t.Fatal(err)
		}
		if snap := a.snapshot(t); len(snap.Groups) != 0 || snap.Routers["outside"].Group != "" {
			t.Errorf("groups %v, and outside is in %q", snap.Groups, snap.Routers["outside"].Group)
		}
		if err := a.Remove("dmz"); err != nil {
			t.Errorf("who left cannot be removed: %v", err)
		}
		if err := a.Deliver("outside", vrrp.Faulted{Key: "link", Problem: "eth0 is down", WireLost: true}); err != nil {
			t.Fatal(err)
		}
		if out, in := a.state(t, "outside"), a.state(t, "inside"); out != vrrp.Fault || in != vrrp.Master {
			t.Errorf("outside is %v, inside %v", out, in)
		}
		time.Sleep(3 * time.Second)
		// After 3.2 s the first, and on the beat each second.
		if sent := a.snapshot(t).Routers["inside"].Machine.Counters.Sent; sent != 11 {
			t.Errorf("inside sent %d adverts", sent)
		}
	})
}

// A regroup with a mistake changes nothing.
func TestRegroupRefuses(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a := l.host(t, "192.0.2.1")
		a.begin(t, "director", 200, "outside", "inside")
		time.Sleep(10 * time.Second)
		for what, regroup := range map[string]func() error{
			"forgets a member":     func() error { return a.Regroup([]Unit{{Running: []string{"outside"}}}) },
			"names an unknown one": func() error { return a.Regroup([]Unit{{Running: []string{"outside", "inside", "x"}}}) },
			"adds one that runs": func() error {
				return a.Regroup([]Unit{{Running: []string{"outside"}, Routers: []Router{a.router("inside", 11, 200)}}})
			},
		} {
			if regroup() == nil {
				t.Errorf("a regroup that %s is accepted", what)
			}
		}
		if g := a.snapshot(t).Groups["director"]; g.State != vrrp.Master || len(g.Members) != 2 {
			t.Errorf("the group is %+v", g)
		}
	})
}

func (h *host) snapshot(t *testing.T) Snapshot {
	t.Helper()
	snap, err := h.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return snap
}
