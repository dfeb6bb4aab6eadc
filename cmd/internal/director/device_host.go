package director

import (
	"log/slog"
	"slices"
	"sync"

	"holdfast/netdev"
)

// A deviceHost lets an executor claim and release the devices of routers in the
// host. One call is for many routers, and has an outcome for each.
type deviceHost struct {
	host  *netdev.Host
	names *deviceNames
	// later runs functions one after the other in another goroutine.
	later func(func())
	log   *slog.Logger
}

// Claim implements devices.
func (h deviceHost) Claim(routers []string) []error {
	return h.each(h.host.Claim, h.host.Claim, routers)
}

// ClaimInParts implements devices. It reports only the device on a router's own
// interface, which is its first: its addresses are announced before the others.
func (h deviceHost) ClaimInParts(routers []string, up func([]claimed)) []error {
	of := make(map[string]int, len(routers))
	for i, r := range routers {
		if names := h.names.of(r); len(names) > 0 {
			of[names[0]] = i
		}
	}
	report := func(parts []netdev.Part) {
		all := make([]claimed, 0, len(parts))
		for _, p := range parts {
			if i, first := of[p.Device]; first {
				all = append(all, claimed{i, p.Addresses})
			}
		}
		up(all)
	}
	claim := func(names ...string) error { return h.host.ClaimInParts(report, names...) }
	return h.each(claim, h.host.Claim, routers)
}

// Mute implements devices.
func (h deviceHost) Mute(routers []string) []error {
	return h.each(h.host.Mute, h.host.Mute, routers)
}

// Release implements devices. If no router needs its devices any more, they are
// removed: the kernel removes many in the time of one. Otherwise they are disabled,
// which is quick, and taken down one after the other in another goroutine, so that
// no claim waits for that.
func (h deviceHost) Release(routers []string) []error {
	if !slices.ContainsFunc(routers, func(r string) bool { return !h.names.leaves(r) }) {
		return h.each(h.host.Remove, h.host.Remove, routers)
	}
	errs := h.each(h.host.Disable, h.host.Disable, routers)
	for _, r := range routers {
		for _, name := range h.names.of(r) {
			h.later(func() {
				if err := h.host.TakeDown(name); err != nil {
					h.log.Error("cannot take a device down", "vrrp", r, "err", err)
				}
			})
		}
	}
	return errs
}

// each does one thing to the devices of all routers in one go. If that fails, it
// does it again router by router, to learn which router the failure belongs to;
// that does no harm to those that are done.
func (h deviceHost) each(do, again func(...string) error, routers []string) []error {
	errs := make([]error, len(routers))
	var names []string
	for _, r := range routers {
		names = append(names, h.names.of(r)...)
	}
	if err := do(names...); err == nil || len(routers) == 1 {
		errs[0] = err
		return errs
	}
	for i, r := range routers {
		errs[i] = again(h.names.of(r)...)
	}
	return errs
}

// deviceNames says which devices a router has, and whether it still needs them. The
// executor asks from its own goroutine; the loop knows.
type deviceNames struct {
	mu      sync.Mutex
	device  map[string][]string // by router
	leaving map[string]bool
}

func newDeviceNames() *deviceNames {
	return &deviceNames{device: map[string][]string{}, leaving: map[string]bool{}}
}

func (n *deviceNames) set(router string, devices []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.device[router] = devices
}

// leave notes that a router is being stopped for good.
func (n *deviceNames) leave(router string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leaving[router] = true
}

func (n *deviceNames) forget(router string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.device, router)
	delete(n.leaving, router)
}

func (n *deviceNames) of(router string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.device[router]
}

func (n *deviceNames) leaves(router string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.leaving[router]
}
