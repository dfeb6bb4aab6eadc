package director

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"holdfast/lvs"
)

// The ways to servers are looked up for another table, when routes have changed and
// when some are not known, but not all the time. What is not known is said until it is.
func TestViaWays(t *testing.T) {
	looks := 0
	var unknown error
	w := newViaWays()
	w.look = func(*viaTable) ([]string, error) { looks++; return []string{"lo"}, unknown }
	table, now := &viaTable{}, time.Now()
	for i, c := range []struct {
		table *viaTable
		moved bool
		fails error // the next look
		after time.Duration
		want  int // looks in all
		err   error
	}{
		{table, false, nil, 0, 1, nil},
		{table, false, nil, time.Hour, 1, nil},
		{table, true, nil, time.Hour, 2, nil},
		{table, true, nil, time.Second, 2, nil},
		{table, false, errNoWay, viaLook, 3, errNoWay},
		{table, false, nil, time.Second, 3, errNoWay},
		{table, false, nil, viaLook, 4, nil},
		{&viaTable{}, false, nil, 0, 5, nil},
	} {
		unknown = c.fails
		if now = now.Add(c.after); c.moved {
			w.stale.Store(true)
		}
		want, err := w.settings(c.table, now)
		if !errors.Is(err, c.err) {
			t.Errorf("step %d: error %v, want %v", i, err, c.err)
		}
		if keys := slices.Collect(maps.Keys(want)); looks != c.want || !slices.Contains(keys, "ipv4/conf/lo/accept_local") {
			t.Errorf("step %d: %d looks, want %d; settings %v", i, looks, c.want, want)
		}
	}
}

var errNoWay = errors.New("network is unreachable")

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
