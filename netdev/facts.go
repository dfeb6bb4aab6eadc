package netdev

import (
	"fmt"
	"net/netip"

	"holdfast/netdev/frame"
	"holdfast/netdev/sysctl"

	"golang.org/x/sys/unix"
)

// An Interface describes an interface that is not ours.
type Interface struct {
	Name  string
	Index int
	MAC   frame.MAC // zero if it is not Ethernet
	MTU   int
	Admin bool // administratively up
	Up    bool // Admin, and it has a carrier
	// IPv4 is the primary address: of those that are neither secondary nor ours, the
	// first of the widest scope. The kernel lists addresses of scope link first.
	// LinkLocal is the first usable IPv6 link-local address that is not ours. Each
	// is the zero Addr if there is none.
	IPv4      netip.Addr
	LinkLocal netip.Addr
	// Addresses are all usable addresses that are not ours.
	Addresses []netip.Prefix
	// Tentative are the IPv6 addresses that are not usable yet, because duplicate
	// address detection (RFC 4862 §5.4) is not over. Duplicate are those that it
	// found on another host, which stay unusable. Neither are ours.
	Tentative, Duplicate []netip.Addr
	// Forwarding4 and Forwarding6 say whether the host routes packets that come in
	// here. The router flag of neighbour advertisements must say the same.
	Forwarding4, Forwarding6 bool
}

// Interface describes an interface. The error wraps unix.ENODEV if it does not exist,
// and only then.
func (h *Host) Interface(name string) (Interface, error) {
	all, err := h.Interfaces(name)
	if err != nil {
		return Interface{}, err
	}
	i, ok := all[name]
	if !ok {
		return Interface{}, fmt.Errorf("interface %s does not exist: %w", name, unix.ENODEV)
	}
	return i, nil
}

// Interfaces describes interfaces, by name, from one look at the kernel, which takes
// milliseconds beside a thousand devices. It leaves out interfaces that do not exist.
func (h *Host) Interfaces(names ...string) (map[string]Interface, error) {
	return interfaces(h, names, needs{names: names}, func(o *observation, name string) *link { return o.byName[name] })
}

// InterfacesAt describes interfaces, by index, whatever their names are now.
func (h *Host) InterfacesAt(indexes ...int) (map[int]Interface, error) {
	return interfaces(h, indexes, needs{indexes: indexes}, func(o *observation, index int) *link { return o.byIndex[index] })
}

func interfaces[K comparable](h *Host, keys []K, need needs, find func(*observation, K) *link) (map[K]Interface, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	look := observe
	if len(keys) <= askLimit {
		look = observeOnly
	}
	o, err := look(h.conn, need, dumpTries)
	if err != nil {
		return nil, fmt.Errorf("look at interfaces: %w", err)
	}
	all := make(map[K]Interface, len(keys))
	for _, key := range keys {
		if l := find(o, key); l != nil {
			all[key] = h.describe(l, o.addresses[l.index])
		}
	}
	return all, nil
}

func (h *Host) describe(l *link, addresses []address) Interface {
	i := Interface{
		Name: l.name, Index: l.index, MTU: l.mtu, Admin: l.flags&unix.IFF_UP != 0, Up: l.up(),
		Forwarding4: isOne(sysctl.Key("ipv4", l.name, "forwarding")),
		Forwarding6: isOne(sysctl.Key("ipv6", l.name, "forwarding")),
	}
	if l.ethernet {
		i.MAC = l.mac
	}
	scope := unix.RT_SCOPE_NOWHERE // of i.IPv4
	for _, a := range addresses {
		ip := a.prefix.Addr()
		switch {
		case h.isHeld(a):
			continue
		case a.flags&unix.IFA_F_DADFAILED != 0:
			i.Duplicate = append(i.Duplicate, ip)
			continue
		case !a.usable():
			i.Tentative = append(i.Tentative, ip)
			continue
		}
		i.Addresses = append(i.Addresses, a.prefix)
		switch {
		case ip.Is4() && int(a.scope) < scope && a.flags&unix.IFA_F_SECONDARY == 0:
			i.IPv4, scope = ip, int(a.scope)
		case ip.Is6() && ip.IsLinkLocalUnicast() && !i.LinkLocal.IsValid():
			i.LinkLocal = ip
		}
	}
	return i
}

// usable reports whether an IPv6 address has passed duplicate address
// detection.
func (a address) usable() bool {
	tentative := a.flags&unix.IFA_F_TENTATIVE != 0 && a.flags&unix.IFA_F_OPTIMISTIC == 0
	return !tentative && a.flags&unix.IFA_F_DADFAILED == 0
}

// isHeld reports whether we added an address to an interface that is not ours.
func (h *Host) isHeld(a address) bool {
	if a.protocol == AddressProtocol {
		return true
	}
	for _, d := range h.devices {
		if !d.spec.virtual() && d.index == a.index && d.mine[a.prefix] {
			return true
		}
	}
	return false
}

func isOne(key string) bool {
	v, err := sysctl.Read(key)
	return err == nil && v == "1"
}
