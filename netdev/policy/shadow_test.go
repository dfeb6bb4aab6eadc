package policy

import (
	"net/netip"
	"testing"

	"holdfast/netdev/internal/testns"

	"github.com/google/go-cmp/cmp"
)

func TestShadows(t *testing.T) {
	p := testns.NewPair(t)
	prefix := netip.MustParsePrefix
	d := &Device{
		Name: "vrrp4-51", Index: p.Director.Index("eth0"), Want: Held,
		Rules: []Rule{{From: prefix("10.0.0.100/32"), Table: 7, Priority: 1000}},
	}
	set := newSet(t, p.Director)
	apply(t, set, d)
	p.Director.Run(`
		ip route add default via 10.0.0.9 table 9
		ip route add 10.9.0.0/16 via 10.0.0.9 table 8`)
	for _, c := range []struct {
		rule string
		want string // the priority of the shadow
	}{
		{"priority 900 from 10.0.0.0/8 lookup 9", "rule 900 from 10.0.0.0/8 table 9"},
		{"priority 900 lookup 9", "rule 900 table 9"},
		{"priority 900 from 10.0.0.100 blackhole", "rule 900 from 10.0.0.100/32 blackhole"},
		{"priority 1001 from 10.0.0.0/8 lookup 9", ""}, // asked later
		{"priority 900 from 10.0.0.101 lookup 9", ""},  // other packets
		{"priority 900 iif eth0 lookup 9", ""},         // not all packets
		{"priority 900 from 10.0.0.0/8 lookup 8", ""},  // no route for all packets
		{"priority 900 lookup 7", ""},                  // the same table
		{"priority 900 lookup 9 suppress_prefixlength 0", ""},
		{"priority 900 lookup 9 protocol 112", ""}, // ours
	} {
		p.Director.Run("ip rule add " + c.rule)
		shadows, err := set.Shadows([]*Device{d})
		testns.Must(t, err)
		var want []Shadow
		if c.want != "" {
			want = []Shadow{{"vrrp4-51", c.want + " is asked before rule 1000 from 10.0.0.100/32 table 7 and decides about its packets"}}
		}
		if diff := cmp.Diff(want, shadows); diff != "" {
			t.Errorf("ip rule add %s: (-want +got)\n%s", c.rule, diff)
		}
		p.Director.Run("ip rule del " + c.rule)
	}
	p.Director.Run("ip rule add priority 900 lookup 9")
	d.Want = Away
	if shadows, err := set.Shadows([]*Device{d}); err != nil || len(shadows) != 0 {
		t.Errorf("of a device that holds nothing: %v, %v", shadows, err)
	}
}
