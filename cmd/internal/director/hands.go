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
	Hush(names []string) []error
	Release(names []string) []error
}

// hands carries out the speaker's orders, which the speaker must not wait
// for. Orders of one kind that wait together are carried out together: a
// thousand takeovers are a few netlink messages, not thousands.
type hands struct {
	devices devices
	answer  func(speaker.Order, error)
	failed  func(speaker.Order, error) // of an order that has no answer

	mu    sync.Mutex
	wait  *sync.Cond
	queue []speaker.Order
	busy  bool // orders that were taken are not carried out yet
	done  bool
}

func newHands(d devices, answer, failed func(speaker.Order, error)) *hands {
	h := &hands{devices: d, answer: answer, failed: failed}
	h.wait = sync.NewCond(&h.mu)
	return h
}

// order takes orders. It never blocks.
func (h *hands) order(orders []speaker.Order) {
	h.mu.Lock()
	h.queue = append(h.queue, orders...)
	h.mu.Unlock()
	h.wait.Broadcast()
}

// quit makes run return when the orders given so far are carried out.
func (h *hands) quit() {
	h.mu.Lock()
	h.done = true
	h.mu.Unlock()
	h.wait.Broadcast()
}

// drain returns when the orders given so far are carried out.
func (h *hands) drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.queue) > 0 || h.busy {
		h.wait.Wait()
	}
}

func (h *hands) run() {
	for {
		orders := h.take()
		if orders == nil {
			return
		}
		for len(orders) > 0 {
			n := alike(orders)
			h.carryOut(orders[:n])
			orders = orders[n:]
		}
	}
}

func (h *hands) take() []speaker.Order {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy = false
	h.wait.Broadcast()
	for len(h.queue) == 0 && !h.done {
		h.wait.Wait()
	}
	orders := h.queue
	h.queue, h.busy = nil, len(orders) > 0
	return orders
}

// alike returns how many orders at the head can be carried out at once: of
// one verb, and none for a router twice.
func alike(orders []speaker.Order) int {
	seen := make(map[string]bool, len(orders))
	for n, o := range orders {
		if o.Verb != orders[0].Verb || seen[o.Router] {
			return n
		}
		seen[o.Router] = true
	}
	return len(orders)
}

func (h *hands) carryOut(orders []speaker.Order) {
	names := make([]string, len(orders))
	for i, o := range orders {
		names[i] = o.Router
	}
	do := h.devices.Release
	switch orders[0].Verb {
	case vrrp.Claim:
		do = h.devices.Claim
	case vrrp.Hush:
		do = h.devices.Hush
	}
	for i, err := range do(names) {
		if orders[i].Verb == vrrp.Claim {
			h.answer(orders[i], err)
		} else if err != nil {
			h.failed(orders[i], err)
		}
	}
}
