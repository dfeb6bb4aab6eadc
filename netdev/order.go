package netdev

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const upAndARP = unix.IFF_UP | unix.IFF_NOARP

// find returns the devices of names that Ensure was told of.
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

// Claim brings devices up with all their addresses, in one system call for
// all; it also ends muting. Claiming what is claimed puts back what is missing.
//
// When it returns, packets for the addresses are the director's own.
//
// A route or rule that cannot be had is no reason to be without the addresses:
// Reconcile tries again, and says why.
func (h *Host) Claim(names ...string) error { return h.claim(names, nil) }

// claim tells up of parts; nil: nobody wants to know.
func (h *Host) claim(names []string, up func([]Part)) error {
	h.mu.Lock()
	carry, limit := h.inParts(up), localUnserved
	if up == nil {
		limit = localLimit
	}
	if up == nil || h.few(names) {
		h.settleIn(names, limit)
		carry = h.atOnce
	}
	err := h.order(names, "claim", Claimed, h.claimRequests, carry)
	if err == nil {
		h.awaitLocal(names, limit)
	}
	h.mu.Unlock()
	h.claimPolicy(names)
	return err
}

// Mute makes devices stop answering ARP and neighbour solicitations, while
// what still comes for them is served. It is of no effect in interface mode:
// it would silence the parent.
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

// upDownRequest sets a device up or down and ends its being quiet.
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

// Disable is the first half of Release: devices are Bare from now on as far as
// their state goes, and in one system call all fall silent. One with IPv6 goes
// down at once: while it is up, any change of its parent, as when a fellow is
// taken down, can give it its carrier back, and then the kernel repeats its
// multicast listener reports (net/ipv6/addrconf.c addrconf_notify). In
// interface mode, where nothing else would silence them, the addresses go.
func (h *Host) Disable(names ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.order(names, "release", Bare, func(all []*nl.NetlinkRequest, d *device) []*nl.NetlinkRequest {
		if !d.spec.virtual() || d.spec.wantsIPv6() {
			return h.releaseRequests(all, d)
		}
		d.falling = true
		return muteRequests(all, d)
	}, h.atOnce)
}

// TakeDown is the second half: a device that is to be Bare goes down and loses
// its addresses. Taking a macvlan down waits for an RCU grace period, some
// 10 ms; a device that was claimed meanwhile stays.
func (h *Host) TakeDown(name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.devices[name]
	if d == nil || d.state != Bare {
		return nil
	}
	d.falling, h.settled = false, false
	if d.index == 0 {
		return nil
	}
	_, _ = h.applyPolicy([]*device{d}) // what stays is found when devices are reconciled
	for _, err := range h.conn.Do(h.releaseRequests(nil, d)) {
		if err != nil && !rtnl.Gone(err) {
			return fmt.Errorf("release: device %s: %w", name, err)
		}
	}
	return nil
}

// A carrier carries out requests, each of which belongs to a device, and returns
// what became of each, or nil if all went well.
type carrier func(requests []*nl.NetlinkRequest, of []*device) []error

func (h *Host) atOnce(requests []*nl.NetlinkRequest, _ []*device) []error { return h.conn.Do(requests) }

// order sets a state by the requests that lead there from any other, without
// looking first. If one is refused, the device is looked at. h.mu is held.
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
		d.state, d.falling = to, false
		if d.index == 0 {
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
	failed := map[*device]error{}
	if _, err := h.converge(slices.Collect(maps.Keys(again)), failed); err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	var errs []error
	for _, err := range failed {
		if to == Bare && errors.Is(err, ErrNoParent) {
			continue // as bare as can be
		}
		errs = append(errs, fmt.Errorf("%s: %w", verb, err))
	}
	return errors.Join(errs...)
}

func (h *Host) claimRequests(all []*nl.NetlinkRequest, d *device) []*nl.NetlinkRequest {
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

// releaseRequests takes the link down first: taken off a link that is up, an
// IPv6 address makes it say so, and that draws the MAC back to this port.
// Addresses go last to first, so that no secondary is promoted.
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

// Remove releases and deletes devices, forgets them, and gives back the
// sysctls that no other needs. Names that are not known are no error.
func (h *Host) Remove(names ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.remove(names)
}

func (h *Host) remove(names []string) error {
	h.settled = false
	o, err := observe(h.conn)
	if err != nil {
		return fmt.Errorf("remove devices: %w", err)
	}
	var requests []*nl.NetlinkRequest
	var links []int
	for _, name := range names {
		d := h.devices[name]
		if d == nil {
			continue
		}
		d.state = Bare
		h.egress.End(egressDevices([]*device{d}))
		if _, err := h.applyPolicy([]*device{d}); err != nil {
			return fmt.Errorf("remove devices: %w", err)
		}
		if !d.spec.virtual() && d.index != 0 {
			requests = h.releaseRequests(requests, d)
		}
		if have := o.byName[name]; d.spec.virtual() && have != nil && foreign(h.owner, d, have) == nil {
			links = append(links, have.index)
		}
	}
	requests = append(requests, deleteRequests(o, links)...)
	var errs []error
	for _, err := range h.conn.Do(requests) {
		if err != nil && !rtnl.Gone(err) {
			errs = append(errs, fmt.Errorf("remove device: %w", err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...) // what is still there stays in the journal
	}
	for _, name := range names {
		h.forget(name)
	}
	_, err = h.applyEgress() // a device that somebody deleted has left its rules
	_, refusal := h.mendRefusal()
	return errors.Join(err, refusal, h.giveBack(o))
}

// doomed is the link group into which links are put to be deleted ("hold" in
// ASCII).
const doomed = 0x686f6c64

// deleteRequests deletes links. A deletion waits until every processor has let
// go of the link, tens of milliseconds (net/core/dev.c netdev_run_todo), so
// several are put into a link group and deleted as one
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
		setDormant(r) // the change of group counts as a roam too
		all = append(all, r)
	}
	r := linkRequest(unix.RTM_DELLINK, 0, 0, 0, 0)
	r.AddData(group)
	return append(all, r)
}

// forget takes a device out of table and journal.
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

// giveBack restores sysctls that are no longer needed.
func (h *Host) giveBack(o *observation) error {
	wants, err := h.wants(o)
	if err != nil {
		return err
	}
	return errors.Join(h.journal.restore(o, wants), h.journal.save())
}

// Sweep removes what a crashed run left and nobody has ensured since: devices
// with our alias, addresses in the journal, changed sysctls. It is to be
// called when everything that is wanted has been ensured.
func (h *Host) Sweep() ([]Repair, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o, err := observe(h.conn)
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	var requests []*nl.NetlinkRequest
	var repairs []Repair
	for _, l := range o.byIndex {
		if l.kind == "macvlan" && ours(h.owner, l.alias) && !h.knows(l.name) {
			requests = append(requests, linkRequest(unix.RTM_DELLINK, 0, l.index, 0, 0))
			repairs = append(repairs, Repair{l.name, "remove the device, which a former run left"})
		}
	}
	for _, a := range h.journal.Addresses {
		if l := o.byIndex[a.IfIndex]; l != nil && !h.holds(a) && has(o.addresses[a.IfIndex], a.Prefix) {
			requests = append(requests, deleteAddressRequest(a.IfIndex, a.Prefix))
			repairs = append(repairs, Repair{l.name, fmt.Sprintf("remove address %v, which a former run left", a.Prefix)})
		}
	}
	for i, err := range h.conn.Do(requests) {
		if err != nil && !rtnl.Gone(err) {
			return repairs[:i], fmt.Errorf("sweep: %v: %w", repairs[i], err)
		}
	}
	swept, err := h.sweepPolicy()
	repairs = append(repairs, swept...)
	_, refusal := h.mendRefusal()
	err = errors.Join(err, refusal)
	j := h.journal
	j.Devices = slices.DeleteFunc(j.Devices, func(s Spec) bool { return h.devices[s.Name] == nil })
	j.Addresses = slices.DeleteFunc(j.Addresses, func(a heldAddress) bool { return !h.holds(a) })
	h.left = nil
	return repairs, errors.Join(err, h.giveBack(o))
}

func (h *Host) knows(name string) bool {
	d := h.devices[name]
	return d != nil && d.spec.virtual()
}

func has(all []address, p netip.Prefix) bool {
	return slices.ContainsFunc(all, func(a address) bool { return a.prefix == p })
}

// Close removes all devices and gives everything back. The Host is of no use
// afterwards. What could not be undone stays in the journal.
func (h *Host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.remove(slices.Collect(maps.Keys(h.devices)))
	h.conn.Close()
	return err
}
