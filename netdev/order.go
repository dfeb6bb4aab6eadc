package netdev

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const upAndARP = unix.IFF_UP | unix.IFF_NOARP

// find returns the devices with names.
func (h *Host) find(names []string) ([]*device, error) {
	var all []*device
	for _, name := range names {
		d := h.devices[name]
		if d == nil {
			return nil, fmt.Errorf("device %s is not known", name)
		}
		all = append(all, d)
	}
	return all, nil
}

// Claim brings devices up with all their addresses, in one system call for all of
// them. It also ends muting. If a device is claimed already, Claim restores what is
// missing. When it returns, the host takes packets for the addresses.
//
// A route or rule that cannot be added does not fail a Claim: Reconcile tries
// again, and reports why.
func (h *Host) Claim(names ...string) error { return h.claim(names, nil) }

// claim calls up with the parts that are up, if up is not nil.
func (h *Host) claim(names []string, up func([]Part)) error {
	h.mu.Lock()
	requests, carry, limit := h.partRequests, h.inParts(up), localUnserved
	if up == nil {
		limit = localLimit
	}
	if up == nil || h.few(names) {
		h.settleIn(names, limit)
		requests, carry = h.claimRequests, h.atOnce
	}
	err := h.order(names, "claim", Claimed, requests, carry)
	if err == nil {
		h.awaitLocal(names, limit)
	}
	h.mu.Unlock()
	h.claimPolicy(names)
	return err
}

// Mute stops answers to ARP and neighbour solicitations for the addresses of
// devices, and goes on serving the packets that still come for them. It has no
// effect in interface mode, where it would stop the parent's answers too.
func (h *Host) Mute(names ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.order(names, "mute", Muted, muteRequests, h.atOnce)
}

func muteRequests(all []*nl.NetlinkRequest, d *device) []*nl.NetlinkRequest {
	if !d.spec.virtual() {
		return all
	}
	flags, protoDown := d.muteFlags()
	if protoDown {
		all = append(all, protoDownRequest(d.index))
		d.protoDown = true
	}
	return append(all, linkRequest(unix.RTM_SETLINK, 0, d.index, flags, flags))
}

// upDownRequest sets a device up or down and ends muting.
func upDownRequest(d *device, flags uint32) *nl.NetlinkRequest {
	r := linkRequest(unix.RTM_SETLINK, 0, d.index, flags, upAndARP)
	if d.protoDown {
		setProtoDown(r, false)
		d.protoDown = false
	}
	return r
}

// Release makes devices Bare: Disable, and then TakeDown for each.
func (h *Host) Release(names ...string) error {
	if err := h.Disable(names...); err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, h.TakeDown(name))
	}
	return errors.Join(errs...)
}

// Disable is the first half of Release. It sets the state of devices to Bare, and
// stops everything that they send, in one system call for all of them. A device
// with IPv6 goes down at once. While it is up, a change of its parent, such as
// taking down another macvlan, can give it a new carrier event, and then the
// kernel repeats its multicast listener reports (net/ipv6/addrconf.c
// addrconf_notify). In interface mode Disable removes the addresses.
func (h *Host) Disable(names ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.order(names, "release", Bare, func(all []*nl.NetlinkRequest, d *device) []*nl.NetlinkRequest {
		if !d.spec.virtual() || d.spec.wantsIPv6() {
			return h.releaseRequests(all, d)
		}
		d.disabled = true
		return muteRequests(all, d)
	}, h.atOnce)
}

// TakeDown is the second half of Release: it takes a device down and removes its
// addresses, unless the device was claimed meanwhile. The kernel waits for an RCU
// grace period, some 10 ms, when it takes a macvlan down.
func (h *Host) TakeDown(name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.devices[name]
	if d == nil || d.state != Bare {
		return nil
	}
	d.disabled, h.settled = false, false
	if d.index == 0 {
		return nil
	}
	_, _ = h.applyPolicy([]*device{d}) // Reconcile finds what could not be removed
	for _, err := range h.conn.Do(h.releaseRequests(nil, d)) {
		if err != nil && !rtnl.Gone(err) {
			return fmt.Errorf("release: device %s: %w", name, err)
		}
	}
	return nil
}

// A carrier carries out requests, each of which belongs to a device, and returns
// the error of each, or nil if all succeeded.
type carrier func(requests []*nl.NetlinkRequest, of []*device) []error

func (h *Host) atOnce(requests []*nl.NetlinkRequest, _ []*device) []error { return h.conn.Do(requests) }

// order sets a state by requests that lead there from any other state, without
// looking first. If the kernel refuses one, the device is looked at. h.mu is held.
func (h *Host) order(names []string, verb string, to State,
	build func([]*nl.NetlinkRequest, *device) []*nl.NetlinkRequest, carry carrier) error {
	devices, err := h.find(names)
	if err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	if to != Claimed {
		h.egress.End(egressDevices(devices))
	}
	h.settled = false
	var requests []*nl.NetlinkRequest
	var of []*device
	again := map[*device]bool{}
	for _, d := range devices {
		d.state, d.disabled = to, false
		if d.index == 0 || to == Claimed && !d.recorded {
			again[d] = true
			continue
		}
		requests = build(requests, d)
		for len(of) < len(requests) {
			of = append(of, d)
		}
	}
	for i, err := range carry(requests, of) {
		usual := errors.Is(err, unix.EEXIST) || to == Bare && rtnl.Gone(err)
		if err != nil && !usual {
			again[of[i]] = true
			of[i].noProtoDown = of[i].noProtoDown || errors.Is(err, unix.EOPNOTSUPP)
		}
	}
	if len(again) == 0 {
		return nil
	}
	return h.orderByLooking(slices.Collect(maps.Keys(again)), verb, to)
}

// orderByLooking brings devices to a state that requests alone did not lead to.
func (h *Host) orderByLooking(devices []*device, verb string, to State) error {
	f := newFailures()
	if _, err := h.converge(devices, f); err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	var errs []error
	for _, d := range devices {
		err := f.of(d)
		if err == nil || to == Bare && errors.Is(err, ErrNoParent) { // without a parent it cannot be barer
			continue
		}
		errs = append(errs, fmt.Errorf("%s: %w", verb, err))
	}
	return errors.Join(errs...)
}

// claimRequests brings the device up last. While it is up, each address has the kernel
// walk the routes of those before it (net/ipv4/fib_semantics.c fib_sync_up): a thousand
// /32 addresses then take 17 ms and not 11.
func (h *Host) claimRequests(all []*nl.NetlinkRequest, d *device) []*nl.NetlinkRequest {
	all = addRequests(all, d)
	if d.spec.virtual() {
		all = append(all, upDownRequest(d, unix.IFF_UP))
	}
	return all
}

// partRequests brings the device up first, so that the first part is of use.
func (h *Host) partRequests(all []*nl.NetlinkRequest, d *device) []*nl.NetlinkRequest {
	if d.spec.virtual() {
		all = append(all, upDownRequest(d, unix.IFF_UP))
	}
	return addRequests(all, d)
}

func addRequests(all []*nl.NetlinkRequest, d *device) []*nl.NetlinkRequest {
	for i := range d.spec.Addresses {
		a := &d.spec.Addresses[i]
		all = append(all, addRequest(d.index, a, d.noPrefixRoute(a)))
	}
	return all
}

// releaseRequests takes the link down first. To remove an IPv6 address from a link
// that is up makes the kernel send a report, which makes the switch send the MAC's
// frames to this port. Addresses are removed last to first, so that no secondary
// address is promoted.
func (h *Host) releaseRequests(all []*nl.NetlinkRequest, d *device) []*nl.NetlinkRequest {
	if d.spec.virtual() {
		all = append(all, upDownRequest(d, 0))
	}
	for _, a := range slices.Backward(d.spec.Addresses) {
		if d.mine[a.Prefix] {
			all = append(all, deleteAddressRequest(d.index, a.Prefix))
		}
	}
	return all
}
