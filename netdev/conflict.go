package netdev

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"holdfast/netdev/frame"

	"golang.org/x/sys/unix"
)

// The kinds of conflicts.
const (
	ConflictAddress  = "address"  // another interface of this host has a virtual address
	ConflictMAC      = "mac"      // another link on the wire has a virtual MAC
	ConflictRule     = "rule"     // a rule that is asked before ours takes its packets
	ConflictFirewall = "firewall" // nftables drops adverts
)

// A Conflict is something in the kernel that is not ours and stands in the way of
// a device. The Host leaves it alone.
type Conflict struct {
	Kind      string
	Device    string       // the name of the Spec
	Interface string       // that has the address or the MAC; "" for a rule
	Address   netip.Prefix // of ConflictAddress
	Text      string       // for people: "eth0 has 10.0.0.100/32, which ..."
}

// claims are the addresses and MACs of all specs.
type claims struct {
	addresses map[netip.Addr][]claim
	macs      map[frame.MAC][]claim
}

// A claim is a device as far as conflicts depend on it.
type claim struct {
	name    string
	virtual bool
	owner   bool
	index   int // of the device
	parent  int
	mine    map[netip.Prefix]bool
}

// publishClaims lets Heeds and Conflicts see what has changed. h.mu is held.
func (h *Host) publishClaims() {
	c := &claims{map[netip.Addr][]claim{}, map[frame.MAC][]claim{}}
	for _, d := range h.all() {
		one := claim{d.spec.Name, d.spec.virtual(), d.spec.Owner, d.index, d.parent, maps.Clone(d.mine)}
		for _, a := range d.spec.Addresses {
			c.addresses[a.Prefix.Addr()] = append(c.addresses[a.Prefix.Addr()], one)
		}
		if d.spec.virtual() {
			c.macs[d.spec.MAC] = append(c.macs[d.spec.MAC], one)
		}
	}
	h.claims.Store(c)
}

// Heeds reports whether an event may have begun a conflict. It does not wait for
// the Host.
func (h *Host) Heeds(e Event) bool {
	c := h.claims.Load()
	switch {
	case c == nil:
		return false
	case e.Kind == Resync:
		return true
	case e.Kind == AddressChanged:
		return e.Added && !e.Ours && c.addresses[e.Prefix.Addr()] != nil
	case e.Kind == LinkChanged && e.Present:
		return slices.ContainsFunc(c.macs[e.MAC], func(c claim) bool { return c.name != e.Name })
	}
	return false
}

// Conflicts returns what stands in the way of devices, by what w has heard, and by
// the rules that the last Reconcile saw. It changes nothing.
func (h *Host) Conflicts(w *Watcher) []Conflict {
	h.mu.Lock()
	h.publishClaims()
	all := slices.Clone(h.shadows)
	h.mu.Unlock()
	w.mu.Lock()
	all = append(all, w.table.conflicts(h.claims.Load())...)
	w.mu.Unlock()
	slices.SortFunc(all, func(a, b Conflict) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Interface, b.Interface),
			cmp.Compare(a.Text, b.Text))
	})
	return all
}

func (t *table) conflicts(c *claims) []Conflict {
	var all []Conflict
	for k := range t.addresses {
		l := t.links[k.index]
		if l.flags&unix.IFF_LOOPBACK != 0 {
			continue // nobody asks for the address there
		}
		for _, d := range c.addresses[k.prefix.Addr()] {
			if d.conflicts(k.index, k.prefix) {
				all = append(all, Conflict{ConflictAddress, d.name, l.name, k.prefix, fmt.Sprintf(
					"%s has the virtual address %v, and holdfast did not add it: this host answers for it whoever is MASTER", l.name, k.prefix)})
			}
		}
	}
	for index, l := range t.links {
		for _, d := range c.macs[l.mac] {
			if index != d.index && l.name != d.name && t.sameWire(&l, &d) {
				all = append(all, Conflict{ConflictMAC, d.name, l.name, netip.Prefix{}, fmt.Sprintf(
					"%s has the virtual MAC %v, and holdfast did not make it: it takes the frames for it", l.name, l.mac)})
			}
		}
	}
	return all
}

// conflicts reports whether an address on an interface is in the way of d.
func (d *claim) conflicts(index int, p netip.Prefix) bool {
	switch {
	case d.virtual && index == d.index:
		return false // any address on our own device is a matter of Reconcile
	case d.owner && index == d.parent:
		return false
	case !d.virtual && index == d.index:
		return !d.mine[p]
	}
	return true
}

// sameWire reports whether a link receives the frames of a device's parent.
func (t *table) sameWire(l *link, d *claim) bool {
	lower := d.parent
	if p, ok := t.links[d.parent]; ok && p.kind == "macvlan" {
		lower = p.parent
	}
	return l.index == lower || l.parent == lower && !l.abroad
}

// findShadows looks for rules that are asked before those of devices.
func (h *Host) findShadows(devices []*device) error {
	shadows, err := h.policy.Shadows(policyDevices(devices))
	h.shadows = nil
	for _, s := range shadows {
		h.shadows = append(h.shadows, Conflict{Kind: ConflictRule, Device: s.Device, Text: s.Text})
	}
	return err
}
