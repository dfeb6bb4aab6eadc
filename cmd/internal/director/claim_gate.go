package director

import (
	"sync"

	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// A claimGate stands between the VRRP loop and the executor of its orders. It holds
// back claims of addresses that have to wait for something: resources that run before
// the addresses, or fencing. All other orders pass. A router that gives up a claim that
// is held back, by any other order, has none any more.
type claimGate struct {
	pass func([]speaker.Order)
	// told is told of the claims and releases of gated routers. The VRRP loop calls
	// it: it must not block.
	told func(o speaker.Order, held bool)

	mu    sync.Mutex
	gated map[string]bool // routers whose claims wait
	held  map[string]speaker.Order
	has   map[string]bool // routers whose addresses are on, or are being claimed
}

func newClaimGate() *claimGate {
	return &claimGate{held: map[string]speaker.Order{}, has: map[string]bool{}, told: func(speaker.Order, bool) {}}
}

// order takes orders of the VRRP loop. It never blocks.
func (g *claimGate) order(orders []speaker.Order) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var now []speaker.Order
	for _, o := range orders {
		gated := g.gated[o.Router]
		hold := gated && o.Verb == vrrp.Claim && !g.has[o.Router]
		delete(g.held, o.Router)
		if hold {
			g.held[o.Router] = o
		} else {
			now = append(now, o)
		}
		switch { // also of routers that are not gated: a reload can change that
		case o.Verb == vrrp.Release:
			delete(g.has, o.Router)
		case o.Verb == vrrp.Claim && !hold:
			g.has[o.Router] = true
		}
		if gated {
			g.told(o, hold)
		}
	}
	if len(now) > 0 {
		g.pass(now)
	}
}

// set says which routers are gated. Claims of others do not wait any longer.
func (g *claimGate) set(gated map[string]bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gated = gated
	for router, o := range g.held {
		if !gated[router] {
			delete(g.held, router)
			g.has[router] = true
			g.pass([]speaker.Order{o})
		}
	}
}

// holds notes that the addresses of a router are on: its claims do not wait.
func (g *claimGate) holds(router string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.has[router] = true
}

// open lets the claims of routers pass that are held back still, all in one go.
func (g *claimGate) open(routers []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var now []speaker.Order
	for _, router := range routers {
		if o, ok := g.held[router]; ok {
			delete(g.held, router)
			g.has[router] = true
			now = append(now, o)
		}
	}
	if len(now) > 0 {
		g.pass(now)
	}
}
