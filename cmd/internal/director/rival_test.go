package director

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/conf"
	"holdfast/netdev/frame"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
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

// When many virtual routers have rivals at once, not all of them are listened to. All are
// published.
func TestListeningIsBounded(t *testing.T) {
	b, r := alone(t)
	listening := 0
	b.spawn = func(func()) { listening++ }
	rv := &rivals{
		base: b, known: map[string]*rivalry{},
		instance: func(string) *instance { return &instance{conf: &conf.Instance{}} },
		about:    func(*speaker.Report) *event.Instance { return nil },
	}
	peer := &vrrp.Peer{Address: netip.MustParseAddr("10.0.0.3"), Interval: time.Hour}
	const n = 3 * maxListening
	for i := range n {
		rv.reported(speaker.Report{Router: fmt.Sprint("v", i), Peer: peer})
	}
	if listening != maxListening || len(r.events) != n-maxListening {
		t.Errorf("%d are listened to, and %d published without", listening, len(r.events))
	}
	for i := range n {
		rv.reported(speaker.Report{Router: fmt.Sprint("v", i)})
	}
	if len(r.events) != 2*n || len(rv.known) != 0 {
		t.Errorf("%d events, and %d rivals are still known", len(r.events), len(rv.known))
	}
}
