package director

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"holdfast/lvs"
)

// The ways to servers are looked up for another table and when routes have changed, but
// not all the time while routes change all the time.
func TestViaWays(t *testing.T) {
	looks := 0
	w := newViaWays()
	w.look = func(*viaTable) ([]string, error) { looks++; return []string{"lo"}, nil }
	table, now := &viaTable{}, time.Now()
	for i, c := range []struct {
		table *viaTable
		moved bool
		after time.Duration
		want  int // looks in all
	}{
		{table, false, 0, 1},
		{table, false, time.Hour, 1},
		{table, true, time.Hour, 2},
		{table, true, time.Second, 2},
		{table, false, viaLook, 3},
		{&viaTable{}, false, 0, 4},
	} {
		if now = now.Add(c.after); c.moved {
			w.stale.Store(true)
		}
		want, err := w.settings(c.table, now)
		if err != nil {
			t.Fatal(err)
		}
		if keys := slices.Collect(maps.Keys(want)); looks != c.want || !slices.Contains(keys, "ipv4/conf/lo/accept_local") {
			t.Errorf("step %d: %d looks, want %d; settings %v", i, looks, c.want, want)
		}
	}
}

// viaServersOf makes a table of n servers.
func viaServersOf(n int) *viaTable {
	t := &viaTable{marks: map[viaServer]uint32{}}
	for i := range n {
		addr := netip.AddrFrom4([4]byte{127, byte(i >> 16), byte(i >> 8), byte(i)})
		t.marks[viaServer{server: lvs.Server{Address: netip.AddrPortFrom(addr, 0), Weight: 1}}] = uint32(1000 + i)
	}
	return t
}

// Each reconcile goes through the table.
func BenchmarkVia(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		t, w := viaServersOf(n), newViaWays()
		have := make([]lvs.Usage, 0, n)
		for s, mark := range t.marks {
			have = append(have, lvs.Usage{Service: lvs.Service{Key: s.key(mark)}})
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if left := t.others(slices.Clone(have)); len(left) != 0 {
					b.Fatal(len(left))
				}
				if _, err := w.settings(t, time.Now()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
