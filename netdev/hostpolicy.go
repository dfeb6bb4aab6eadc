package netdev

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"holdfast/netdev/policy"
)

// newDevice returns a device of which nothing is known.
func newDevice() *device {
	return &device{mine: map[netip.Prefix]bool{}, policy: &policy.Device{}}
}

// policyDevices returns what devices want of routes and rules.
func policyDevices(devices []*device) []*policy.Device {
	all := make([]*policy.Device, len(devices))
	for i, d := range devices {
		p := d.policy
		p.Name, p.Index, p.Routes, p.Rules = d.spec.Name, d.index, d.spec.Routes, d.spec.Rules
		p.Want = map[State]policy.Want{Bare: policy.Away, Muted: policy.Keep, Claimed: policy.Held}[d.state]
		all[i] = p
	}
	return all
}

// egressDevices returns what devices want of egress.
func egressDevices(devices []*device) []policy.EgressDevice {
	all := make([]policy.EgressDevice, len(devices))
	for i, d := range devices {
		all[i] = policy.EgressDevice{
			Name: d.spec.Name, Index: d.index, Parent: d.parent, VRF: d.vrf,
			Egress: d.spec.Egress, Claimed: d.state == Claimed,
		}
		for _, a := range d.spec.Addresses {
			all[i].Addresses = append(all[i].Addresses, a.Prefix)
		}
	}
	return all
}

func (h *Host) all() []*device {
	return slices.SortedFunc(maps.Values(h.devices), func(a, b *device) int { return strings.Compare(a.spec.Name, b.spec.Name) })
}

func repairsOf(changes []policy.Change) []Repair {
	repairs := make([]Repair, len(changes))
	for i, c := range changes {
		repairs[i] = Repair{Device: c.Device, Text: c.Text}
	}
	return repairs
}

// applyPolicy brings the routes and rules of devices to their states.
func (h *Host) applyPolicy(devices []*device) ([]Repair, error) {
	changes, err := h.policy.Apply(policyDevices(devices))
	return repairsOf(changes), err
}

// applyEgress brings the egress of all devices to their states.
func (h *Host) applyEgress() ([]Repair, error) {
	changes, err := h.egress.Apply(egressDevices(h.all()))
	return repairsOf(changes), err
}

// sweepPolicy removes the routes and rules that a crashed run left.
func (h *Host) sweepPolicy() ([]Repair, error) {
	changes, err := h.policy.Sweep(policyDevices(h.all()))
	repairs := repairsOf(changes)
	h.egress.Doubt()
	swept, egress := h.applyEgress()
	return append(repairs, swept...), errors.Join(err, egress)
}

// claimPolicy adds the routes, rules and egress of devices that were claimed.
// Reconcile reports and repeats what fails here.
func (h *Host) claimPolicy(names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var claimed []*device
	for _, name := range names {
		// A device that was released meanwhile has lost its routes by that.
		if d := h.devices[name]; d != nil && d.state == Claimed {
			claimed = append(claimed, d)
		}
	}
	_, _ = h.applyPolicy(claimed)
	_, _ = h.applyEgress()
}

// Policies returns what became of the routes and rules of a device: routes
// first, each in the order of the Spec. Nothing is present unless the device is
// claimed.
func (h *Host) Policies(name string) []policy.State {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.devices[name]
	if d == nil {
		return nil
	}
	return policyDevices([]*device{d})[0].States()
}

// Doubt makes the next Reconcile check whether routes and rules that are there
// are still ours.
func (h *Host) Doubt() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.policy.Doubt()
}

// RouteConcerns reports whether an event may mean that a route or rule of ours
// is gone, or that the place of one has become free, so that Reconcile has
// something to do.
func (h *Host) RouteConcerns(e policy.Event) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.policy.Concerns(e)
}
