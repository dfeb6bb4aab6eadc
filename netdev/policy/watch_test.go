package policy

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"testing"

	"holdfast/netdev/internal/testns"
)

func TestWatchRoutes(t *testing.T) {
	p := testns.NewPair(t)
	p.Director.Enter()
	run, err := Watch(slog.New(slog.DiscardHandler))
	testns.Must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	events := make(chan Event, 100)
	var running sync.WaitGroup
	running.Go(func() { run(ctx, func(e Event) { events <- e }) })
	defer running.Wait()
	defer cancel()
	// hears waits for one event, passing over those of the kernel's own doing.
	hears := func(command string, want Event) {
		t.Helper()
		p.Director.Run(command)
		for e := range events {
			if e == want {
				return
			}
		}
	}
	prefix := netip.MustParsePrefix
	hears("ip route add 10.9.0.0/16 via 10.0.0.9", Event{Prefix: prefix("10.9.0.0/16"), Table: MainTable})
	hears("ip route del 10.9.0.0/16", Event{Prefix: prefix("10.9.0.0/16"), Table: MainTable, Gone: true})
	hears("ip route add default via 10.0.0.9 proto 112", Event{Prefix: prefix("0.0.0.0/0"), Table: MainTable, Ours: true})
	hears("ip route del default", Event{Prefix: prefix("0.0.0.0/0"), Table: MainTable, Ours: true, Gone: true})
	hears("ip -6 route add default via 2001:db8::9", Event{Prefix: prefix("::/0"), Table: MainTable})
	hears("ip -6 route del default", Event{Prefix: prefix("::/0"), Table: MainTable, Gone: true})
	hears("ip rule add priority 9 from 10.0.0.100 lookup 7", Event{})
	hears("ip rule del priority 9", Event{Gone: true})
	hears("ip rule add priority 9 from 10.0.0.100 lookup 7 protocol 112", Event{Ours: true})
	hears("ip rule del priority 9", Event{Ours: true, Gone: true})
	hears("ip route add 10.9.0.0/16 via 10.0.0.9 table 1207959559", Event{Prefix: prefix("10.9.0.0/16"), Table: 1207959559})
	hears("ip -6 rule add priority 9 from 2001:db8::7 lookup 7 protocol 112", Event{Ours: true})
}
