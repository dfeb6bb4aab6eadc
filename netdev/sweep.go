package netdev

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Sweep removes what a crashed run left and nobody has ensured since: devices with
// our alias, addresses in the journal, and changed sysctls. Call it once everything
// that is wanted has been ensured. If it fails, Reconcile tries again.
func (h *Host) Sweep() ([]Repair, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sweep(dumpTimeout)
}

// Unrecorded returns the devices with our alias that the journal of a crashed run
// does not name. Which sysctls that run changed for them is not known.
func (h *Host) Unrecorded() ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o, err := observe(h.conn, h.needs(), dumpTimeout)
	if err != nil {
		return nil, fmt.Errorf("look for devices that the journal does not name: %w", err)
	}
	var names []string
	for _, l := range o.byIndex {
		recorded := slices.ContainsFunc(h.journal.Devices, func(s Spec) bool { return s.Name == l.name })
		if l.kind == "macvlan" && ours(h.owner, l.alias) && !recorded {
			names = append(names, l.name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (h *Host) sweep(limit time.Duration) ([]Repair, error) {
	h.unswept = true
	o, err := observe(h.conn, h.needs(), limit)
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	var errs []error
	if o.partialLinks {
		errs = append(errs, fmt.Errorf("sweep: list links: %w", rtnl.ErrInterrupted))
	}
	repairs, err := h.sweepDevices(o)
	swept, policy := h.sweepPolicy()
	_, refusal := h.applyRefusal()
	errs = append(errs, err, policy, refusal)
	if err := errors.Join(errs...); err != nil {
		return append(repairs, swept...), err // the journal keeps what is left
	}
	j := h.journal
	j.Devices = slices.DeleteFunc(j.Devices, func(s Spec) bool { return h.devices[s.Name] == nil })
	j.Addresses = slices.DeleteFunc(j.Addresses, func(a heldAddress) bool { return !h.holds(a) })
	h.left = nil
	err = h.giveBack(limit)
	h.unswept = err != nil
	return append(repairs, swept...), err
}

// sweepDevices removes devices and addresses that a crashed run left.
func (h *Host) sweepDevices(o *observation) ([]Repair, error) {
	var requests []*nl.NetlinkRequest
	var repairs []Repair
	for _, l := range o.byIndex {
		if l.kind == "macvlan" && ours(h.owner, l.alias) && !h.knows(l.name) {
			requests = append(requests, linkRequest(unix.RTM_DELLINK, 0, l.index, 0, 0))
			repairs = append(repairs, Repair{Device: l.name, Text: "remove the device, which a crashed run left"})
		}
	}
	for _, a := range h.journal.Addresses {
		if l := o.byIndex[a.IfIndex]; l != nil && !h.holds(a) && has(o.addresses[a.IfIndex], a.Prefix) {
			requests = append(requests, deleteAddressRequest(a.IfIndex, a.Prefix))
			repairs = append(repairs, Repair{Device: l.name, Text: fmt.Sprintf("remove address %v, which a crashed run left", a.Prefix)})
		}
	}
	var done []Repair
	var errs []error
	results := h.conn.Do(requests)
	for i, r := range repairs {
		if results != nil && results[i] != nil && !rtnl.Gone(results[i]) {
			errs = append(errs, fmt.Errorf("sweep: %v: %w", r, results[i]))
			continue
		}
		done = append(done, r)
	}
	return done, errors.Join(errs...)
}

func (h *Host) knows(name string) bool {
	d := h.devices[name]
	return d != nil && d.spec.virtual()
}

func has(all []address, p netip.Prefix) bool {
	return slices.ContainsFunc(all, func(a address) bool { return a.prefix == p })
}
