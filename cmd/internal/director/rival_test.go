package director

import (
	"net/netip"
	"testing"

	"holdfast/netdev/frame"
)

// Adverts from ever new addresses do not fill the memory. A rival that keeps sending
// is still found among them.
func TestOverheardIsBounded(t *testing.T) {
	macs := map[netip.Addr]frame.MAC{}
	rival, mac := netip.MustParseAddr("10.0.0.2"), frame.MAC{2}
	source := netip.MustParseAddr("10.1.0.0")
	for range 10 * maxOverheard {
		remember(macs, source, frame.MAC{4})
		source = source.Next()
		remember(macs, rival, mac)
		if len(macs) > maxOverheard || macs[rival] != mac {
			t.Fatalf("%d speakers are remembered, the rival as %v", len(macs), macs[rival])
		}
	}
}
