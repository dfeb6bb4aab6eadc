package speaker

import (
	"bytes"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/vrrp"
)

// wireIndex is the interface index that every fake port has on the LAN.
const wireIndex = 7

// lan is a pretend wire. Frames are bare messages: Wrap adds nothing.
type lan struct {
	mu    sync.Mutex
	ports []*fakePort
	seen  []sighting // every frame that was sent, cut or not
}

type sighting struct {
	at    time.Time
	from  netip.Addr
	bytes []byte
}

// fakePort is a Port over channels, so that a synctest bubble can tell when
// the loop waits.
type fakePort struct {
	lan   *lan
	own   netip.Addr
	also  netip.Addr // its source address on other interfaces than wireIndex
	inbox chan Packet
	wake  chan struct{}
	cut   bool
	error error // frames are refused so
}

func (l *lan) port(own string) *fakePort {
	p := &fakePort{lan: l, own: netip.MustParseAddr(own), inbox: make(chan Packet, 1024), wake: make(chan struct{}, 1)}
	l.ports = append(l.ports, p)
	return p
}

func (p *fakePort) Receive(deadline time.Time, into []Packet) ([]Packet, error) {
	var timeout <-chan time.Time
	if !deadline.IsZero() {
		timeout = time.After(time.Until(deadline))
	}
	select {
	case pkt := <-p.inbox:
		into = append(into, pkt)
	case <-p.wake:
	case <-timeout:
	}
	return into, nil
}

func (p *fakePort) Wake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *fakePort) Send(frames []Frame) []SendError {
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	if p.error != nil {
		return []SendError{{wireIndex, p.error}}
	}
	for _, f := range frames {
		b := bytes.Clone(f.Bytes)
		p.lan.seen = append(p.lan.seen, sighting{time.Now(), p.own, b})
		if p.cut || len(b) < 8 {
			continue
		}
		source := p.own
		if f.IfIndex != wireIndex {
			source = p.also
		}
		for _, other := range p.lan.ports {
			if other != p && !other.cut {
				other.inbox <- Packet{IfIndex: f.IfIndex, Packet: vrrp.Packet{
					Source: source, Destination: vrrp.IPv4.MulticastGroup(), HopLimit: 255, Payload: b}}
			}
		}
	}
	return nil
}

func (p *fakePort) setCut(cut bool) {
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	p.cut = cut
}

// host is a director on the LAN: a running Speaker whose claims succeed after
// claimTime, and a record of what it ordered and reported.
type host struct {
	*Speaker
	port      *fakePort
	claimTime time.Duration

	mu      sync.Mutex
	orders  []ordered
	batches int
	reports []Report
}

type ordered struct {
	at    time.Time
	batch int // orders of one wake-up share a number
	Order
}

func (h *host) ordered() []ordered {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.orders)
}

func (l *lan) sightings() []sighting {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.seen)
}

func (l *lan) host(t *testing.T, own string) *host {
	h := &host{port: l.port(own), claimTime: time.Millisecond}
	h.Speaker = New(Options{
		Port: h.port, Order: h.order, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Report: func(r Report) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.reports = append(h.reports, r)
		},
	})
	done := make(chan error)
	go func() { done <- h.Run() }()
	t.Cleanup(func() {
		h.Quit()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return h
}

func (h *host) order(orders []Order) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.batches++
	for _, o := range orders {
		h.orders = append(h.orders, ordered{time.Now(), h.batches, o})
		if o.Verb == vrrp.Claim && h.claimTime >= 0 {
			time.AfterFunc(h.claimTime, func() { h.Answer(o, nil) })
		}
	}
}

// when returns when the verb was last ordered for the router.
func (h *host) when(t *testing.T, router string, verb vrrp.Verb) time.Time {
	t.Helper()
	for _, o := range slices.Backward(h.ordered()) {
		if o.Router == router && o.Verb == verb {
			return o.at
		}
	}
	t.Fatalf("%v was not ordered for %s", vrrp.Action{Verb: verb}, router)
	return time.Time{}
}

// transition returns when the router last went to state, and why.
func (h *host) transition(t *testing.T, router string, to vrrp.State) Report {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range slices.Backward(h.reports) {
		if r.Router == router && r.Verb == vrrp.Transition && r.To == to {
			return r
		}
	}
	t.Fatalf("%s never went to %v", router, to)
	return Report{}
}

func (h *host) state(t *testing.T, router string) vrrp.State {
	t.Helper()
	snap, err := h.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return snap.Routers[router].Machine.State
}

// begin adds and starts a group of routers of one priority, one VRID each.
func (h *host) begin(t *testing.T, group string, priority uint8, names ...string) {
	t.Helper()
	var routers []Router
	for i, name := range names {
		r := h.router(name, uint8(10+i), priority)
		r.Events = []vrrp.Event{vrrp.Start{}}
		routers = append(routers, r)
	}
	if err := h.Add(Unit{Name: group, Routers: routers})[0]; err != nil {
		t.Fatal(err)
	}
}

func (h *host) router(name string, vrid, priority uint8) Router {
	return Router{
		Config: vrrp.Config{
			Name: name, Family: vrrp.IPv4, Version: 3, VRID: vrid, Priority: priority,
			Interval: time.Second, Preempt: true,
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, vrid})},
		},
		Tx: TxConfig{
			IfIndex: wireIndex, Source: h.port.own,
			Wrap:          func(b []byte) []byte { return b },
			Multicast:     vrrp.IPv4.MulticastGroup(),
			Announcements: []Frame{{IfIndex: wireIndex, Bytes: []byte{vrid}}},
		},
		Announce: AnnounceConfig{Repeat: 3, Delay: 5 * time.Second},
	}
}

// inBubble runs f in a bubble whose clock stands until all goroutines wait.
func inBubble(t *testing.T, f func(t *testing.T, l *lan)) {
	synctest.Test(t, func(t *testing.T) { f(t, &lan{}) })
}
