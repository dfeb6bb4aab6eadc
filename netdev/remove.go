package netdev

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Remove releases, deletes and forgets devices, and gives back the sysctls that
// the remaining devices do not need. Unknown names are no error.
func (h *Host) Remove(names ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.remove(names, dumpTries)
}

// Close removes all devices and gives everything back. The Host cannot be used
// afterwards. If something could not be undone, the error says what, and the
// journal keeps it for the next run.
func (h *Host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.remove(slices.Collect(maps.Keys(h.devices)), dumpTimeout)
	if left := slices.Sorted(maps.Keys(h.devices)); len(left) > 0 {
		err = errors.Join(err, fmt.Errorf("left behind: %s", sentence(left)))
	}
	h.conn.Close()
	return err
}

// remove is Remove. limit bounds the tries to see all links and addresses.
func (h *Host) remove(names []string, limit time.Duration) error {
	h.settled = false
	o, err := observe(h.conn, h.needs(), limit)
	if err != nil {
		return fmt.Errorf("remove devices: %w", err)
	}
	var requests []*nl.NetlinkRequest
	var links []int
	var errs []error
	for _, name := range names {
		d := h.devices[name]
		if d == nil {
			continue
		}
		d.state = Bare
		h.egress.End(egressDevices([]*device{d}))
		if _, err := h.applyPolicy([]*device{d}); err != nil {
			errs = append(errs, fmt.Errorf("remove device %s: %w", name, err))
		}
		if !d.spec.virtual() && d.index != 0 {
			requests = h.releaseRequests(requests, d)
		}
		if have := o.byName[name]; d.spec.virtual() && have != nil && foreign(h.owner, d, have) == nil {
			links = append(links, have.index)
		}
	}
	requests = append(requests, deleteRequests(o, links)...)
	refused := map[error]bool{}
	for _, err := range h.conn.Do(requests) {
		if err != nil && !rtnl.Gone(err) && !refused[err] {
			refused[err] = true
			errs = append(errs, fmt.Errorf("remove device: %w", err))
		}
	}
	// What is still there stays in the table and in the journal.
	left := map[string]bool{}
	if len(errs) > 0 {
		left = h.remaining(names)
	}
	for _, name := range names {
		if !left[name] {
			h.forget(name)
		}
	}
	h.publishClaims()
	_, err = h.applyEgress() // a device that somebody else deleted has left its rules
	_, refusal := h.applyRefusal()
	back := h.giveBack(limit)
	if limit == dumpTries && errors.Is(back, rtnl.ErrInterrupted) {
		back = nil // Reconcile tries again
	}
	return errors.Join(append(errs, err, refusal, back)...)
}

// remaining returns the devices that are still there, or may be.
func (h *Host) remaining(names []string) map[string]bool {
	left := map[string]bool{}
	o, err := observe(h.conn, h.needs(), dumpTries)
	for _, name := range names {
		d := h.devices[name]
		if d == nil {
			continue
		}
		left[name] = err != nil || len(d.spec.Routes)+len(d.spec.Rules) > 0 && !d.policy.Tidy()
		if err != nil {
			continue
		}
		if d.spec.virtual() {
			left[name] = left[name] || o.byName[name] != nil
			continue
		}
		for _, a := range o.addresses[d.index] {
			left[name] = left[name] || d.mine[a.prefix]
		}
	}
	return left
}

// doomed is the link group for links that are about to be deleted ("hold" in
// ASCII).
const doomed = 0x686f6c64

// deleteRequests deletes links. The kernel waits tens of milliseconds in each
// deletion until no processor uses the link (net/core/dev.c netdev_run_todo). So
// several links are put into a group, and the group is deleted at once
// (net/core/rtnetlink.c rtnl_group_dellink).
func deleteRequests(o *observation, indexes []int) []*nl.NetlinkRequest {
	var all []*nl.NetlinkRequest
	taken := slices.ContainsFunc(slices.Collect(maps.Values(o.byIndex)), func(l *link) bool { return l.group == doomed })
	if len(indexes) < 2 || taken {
		for _, index := range indexes {
			all = append(all, linkRequest(unix.RTM_DELLINK, 0, index, 0, 0))
		}
		return all
	}
	group := nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(doomed))
	for _, index := range indexes {
		r := linkRequest(unix.RTM_SETLINK, 0, index, 0, 0)
		r.AddData(group)
		setDormant(r) // the kernel reports a change of group as a move of the host, too
		all = append(all, r)
	}
	r := linkRequest(unix.RTM_DELLINK, 0, 0, 0, 0)
	r.AddData(group)
	return append(all, r)
}

// forget removes a device from the table and the journal.
func (h *Host) forget(name string) {
	d := h.devices[name]
	if d == nil {
		return
	}
	delete(h.devices, name)
	j := h.journal
	j.Devices = slices.DeleteFunc(j.Devices, func(s Spec) bool { return s.Name == name })
	j.Addresses = slices.DeleteFunc(j.Addresses, func(a heldAddress) bool {
		return !h.holds(a) && a.IfIndex == d.index && d.mine[a.Prefix]
	})
}

// holds reports whether a device in interface mode wants an address.
func (h *Host) holds(a heldAddress) bool {
	for _, d := range h.devices {
		if !d.spec.virtual() && d.index == a.IfIndex && d.wants(a.Prefix) {
			return true
		}
	}
	return false
}

// giveBack restores sysctls that are no longer needed. It must see all links, or
// it would not know which sysctls are needed.
func (h *Host) giveBack(limit time.Duration) error {
	h.owing = len(h.journal.Sysctls) > 0
	o, err := observe(h.conn, h.needs(), limit)
	switch {
	case err != nil:
		return err
	case o.partialLinks && len(h.journal.Sysctls) > 0:
		return fmt.Errorf("sysctls are not given back: list links: %w", rtnl.ErrInterrupted)
	}
	wants, err := h.wants(o)
	if err != nil {
		return err
	}
	err = errors.Join(h.journal.restore(o, wants), h.journal.save())
	h.owing = err != nil
	return err
}
