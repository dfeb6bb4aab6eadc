package netdev

import (
	"net/netip"
	"testing"
)

// Who has claimed an address keeps what comes for it, from then on.
func TestClaimedIsLocal(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.director.set("ipv6/conf/all/forwarding", "1")
	h := openHost(t, p.director, t.TempDir())
	defer h.Close()
	lan := Spec{Name: "lan", Parent: "eth0", Addresses: addresses("2001:db8::77/64")}
	ensure(t, h, spec6(), lan)
	for _, name := range []string{"vrrp6-51", "lan"} {
		index := h.devices[name].index
		for range 20 {
			must(t, h.Claim(name))
			for _, a := range h.devices[name].spec.Addresses {
				if !h.conn.isLocal(index, a.Prefix.Addr()) {
					t.Errorf("%s: %v is not local", name, a.Prefix.Addr())
				}
			}
			must(t, h.Release(name))
		}
		if h.conn.isLocal(index, netip.MustParseAddr("2001:db8::100")) {
			t.Error("the released address is local: the test tests nothing")
		}
	}
}
