package speaker

import (
	"testing"
	"time"

	"holdfast/vrrp"
)

// One speaker goes on with what another drops: nobody is told of anything, and
// the others hear an advert each interval.
func TestHandedOn(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		former, other := l.host(t, "192.0.2.1"), l.host(t, "192.0.2.2")
		former.begin(t, "both", 200, "v", "w")
		other.begin(t, "both", 100, "v", "w")
		time.Sleep(10*time.Second + 300*time.Millisecond)
		orders, reports := len(former.ordered()), len(former.reports)

		before := len(l.sightings())
		if err := former.AdvertiseNow(); err != nil {
			t.Fatal(err)
		}
		if n := len(l.sightings()) - before; n != 2 {
			t.Errorf("%d frames before Remind returned, want one of each router", n)
		}
		snap, err := former.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		next := l.host(t, "192.0.2.1")
		var routers []Router
		for i, name := range []string{"v", "w"} {
			r := next.router(name, uint8(10+i), 200)
			r.Events = []vrrp.Event{snap.Routers[name].Resume}
			routers = append(routers, r)
		}
		if err := next.Add(Unit{Name: "both", Routers: routers})[0]; err != nil {
			t.Fatal(err)
		}
		if err := former.Drop("both", "nobody"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if s, _ := former.Snapshot(); len(s.Routers) != 0 || len(s.Groups) != 0 {
			t.Errorf("left: %v", s.Routers)
		}
		if len(former.ordered()) != orders || len(former.reports) != reports {
			t.Errorf("what was dropped ordered %v", former.ordered()[orders:])
		}
		if len(next.ordered()) > 0 || len(next.reports) > 0 {
			t.Errorf("what goes on ordered %v, reported %v", next.ordered(), next.reports)
		}
		if next.state(t, "w") != vrrp.Master || other.state(t, "w") != vrrp.Backup {
			t.Errorf("%v here, %v there", next.state(t, "w"), other.state(t, "w"))
		}
		if n := len(l.sightings()) - before; n < 2*11 || n > 2*12 {
			t.Errorf("%d frames in 10 s", n)
		}
	})
}
