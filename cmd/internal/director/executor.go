package director

import (
	"sync"

	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// devices changes the devices of virtual routers, named by their router. The
// outcomes are in the order of the names.
type devices interface {
	Claim(names []string) []error
	// ClaimInParts is Claim, and reports meanwhile what is up.
	ClaimInParts(names []string, up func([]claimed)) []error
	Mute(names []string) []error
	Release(names []string) []error
}

// claimed says how many addresses the router at an index has, from the first.
type claimed struct{ router, addresses int }

// An executor carries out the speaker's orders, for which the speaker must not wait.
// Orders of one kind that wait together are carried out together, whatever waits
// between them: a thousand takeovers are a few netlink messages, not thousands.
type executor struct {
	devices devices
	answer  func(speaker.Order, error)
	tally   func([]speaker.ClaimProgress) // of what is claimed in parts
	failed  func(speaker.Order, error)    // of an order that has no answer
	// released is told of releases that were carried out, whatever their outcome. Devices may
	// still be taken down (deviceHost.Release).
	released func(speaker.Order)

	mu    sync.Mutex
	wait  *sync.Cond
	queue []speaker.Order
	busy  bool // orders that were taken are not carried out yet
	done  bool
}

func newExecutor(d devices, answer func(speaker.Order, error), tally func([]speaker.ClaimProgress), failed func(speaker.Order, error)) *executor {
	e := &executor{devices: d, answer: answer, tally: tally, failed: failed, released: func(speaker.Order) {}}
	e.wait = sync.NewCond(&e.mu)
	return e
}

// order takes orders. It never blocks.
func (e *executor) order(orders []speaker.Order) {
	e.mu.Lock()
	e.queue = append(e.queue, orders...)
	e.mu.Unlock()
	e.wait.Broadcast()
}

// quit makes run return when the orders given so far are carried out.
func (e *executor) quit() {
	e.mu.Lock()
	e.done = true
	e.mu.Unlock()
	e.wait.Broadcast()
}

// drain returns when the orders given so far are carried out.
func (e *executor) drain() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.queue) > 0 || e.busy {
		e.wait.Wait()
	}
}

func (e *executor) run() {
	var pending []speaker.Order
	for {
		pending = append(pending, e.take(len(pending) > 0)...)
		if len(pending) == 0 {
			return
		}
		var batch []speaker.Order
		batch, pending = next(pending)
		e.carryOut(batch)
	}
}

// take returns what was ordered since the last time. Without anything pending
// it waits for an order, or for the end, when it returns none.
func (e *executor) take(pending bool) []speaker.Order {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !pending {
		e.busy = false
		e.wait.Broadcast()
		for len(e.queue) == 0 && !e.done {
			e.wait.Wait()
		}
		e.busy = len(e.queue) > 0
	}
	orders := e.queue
	e.queue = nil
	return orders
}

// priorityOf returns the rank of an order; lower ranks go first. To mute comes first,
// because a device that answers for what another router has does harm. A claim that
// nobody serves comes before one that another router still serves. A release comes
// last, because what is to be released serves until then.
func priorityOf(o *speaker.Order) int {
	switch {
	case o.Verb == vrrp.Mute:
		return 0
	case o.Verb == vrrp.Claim && o.Unserved:
		return 1
	case o.Verb == vrrp.Claim:
		return 2
	}
	return 3
}

// next takes from the pending orders the most urgent ones that can be carried
// out at once, and returns the others. Each router's orders keep their
// order. Between routers there is none to be kept: what comes as Mute, Release,
// Mute, Release is two batches, and a release costs the same for one device and
// for all.
func next(pending []speaker.Order) (batch, rest []speaker.Order) {
	seen := make(map[string]bool, len(pending))
	first := make([]bool, len(pending))
	most := priorityOf(&speaker.Order{Verb: vrrp.Release})
	for i, o := range pending {
		first[i] = !seen[o.Router]
		seen[o.Router] = true
		if first[i] {
			most = min(most, priorityOf(&o))
		}
	}
	for i, o := range pending {
		if first[i] && priorityOf(&o) == most {
			batch = append(batch, o)
		} else {
			rest = append(rest, o)
		}
	}
	return batch, rest
}

func (e *executor) carryOut(orders []speaker.Order) {
	names := make([]string, len(orders))
	for i, o := range orders {
		names[i] = o.Router
	}
	do := e.devices.Release
	switch {
	case orders[0].Verb == vrrp.Claim && orders[0].Unserved:
		do = func(names []string) []error {
			return e.devices.ClaimInParts(names, func(up []claimed) {
				parts := make([]speaker.ClaimProgress, len(up))
				for i, c := range up {
					parts[i] = speaker.ClaimProgress{Order: orders[c.router], Addresses: c.addresses}
				}
				e.tally(parts)
			})
		}
	case orders[0].Verb == vrrp.Claim:
		do = e.devices.Claim
	case orders[0].Verb == vrrp.Mute:
		do = e.devices.Mute
	}
	for i, err := range do(names) {
		if orders[i].Verb == vrrp.Claim {
			e.answer(orders[i], err)
		} else if err != nil {
			e.failed(orders[i], err)
		}
		if orders[i].Verb == vrrp.Release {
			e.released(orders[i])
		}
	}
}
