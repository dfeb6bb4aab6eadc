package director

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"

	"holdfast/conf"
	"holdfast/netdev"
	"holdfast/netdev/frame"
	"holdfast/vrrp/speaker"
)

// specs are the devices that an instance wants: the one on its own interface,
// and one on each other where it has addresses.
func specs(in *conf.Instance) []netdev.Spec {
	own := spec(in)
	all := []netdev.Spec{own}
	names := namesOf(in)
	for i, p := range in.Extra {
		s := own
		s.Name, s.Parent = names[i+1], p.Interface
		s.Addresses, s.Routes, s.Rules, s.IPv6 = addressesOn(in, p.Interface), nil, nil, false
		all = append(all, s)
	}
	return all
}

// namesOf identifies the devices of an instance to netdev, in the order of
// specs.
func namesOf(in *conf.Instance) []string {
	names := []string{deviceName(in)}
	for _, p := range in.Extra {
		names = append(names, cmp.Or(p.Device, p.Interface+"/"+in.Name))
	}
	return names
}

func sharesDevice(a, b *conf.Instance) bool {
	of := namesOf(b)
	return slices.ContainsFunc(namesOf(a), func(name string) bool { return slices.Contains(of, name) })
}

// addressesOn are the addresses that an instance has on an interface; "" is its
// own.
func addressesOn(in *conf.Instance, name string) []netdev.Address {
	var list []netdev.Address
	for _, a := range slices.Concat(in.Prefixes, in.Excluded) {
		if a.Interface == name {
			list = append(list, netdev.Address{
				Prefix: a.Prefix, Label: a.Label, Scope: uint8(a.Scope), Broadcast: a.Broadcast,
				PrefixRoute: netdev.PrefixRoute(a.PrefixRoute), Preferred: a.Preferred,
			})
		}
	}
	return list
}

// announced returns the addresses on an interface that are announced to neighbours.
func announced(in *conf.Instance, name string) []netip.Addr {
	var list []netip.Addr
	for _, a := range addressesOn(in, name) {
		list = append(list, a.Prefix.Addr())
	}
	return list
}

// oneOf sums up the devices of an instance, its own first. A device whose interface
// does not exist is left out: that is a fault of its own.
func oneOf(devices []netdev.Device) netdev.Device {
	d := devices[0]
	for _, other := range devices[1:] {
		d.Leftover = d.Leftover || other.Leftover
		if d.Err == nil && !errors.Is(other.Err, netdev.ErrNoParent) {
			d.Err = other.Err
		}
	}
	return d
}

// at returns the state of an interface of the instance that the speaker has.
func (in *instance) at(name string) netdev.Interface {
	if name == in.conf.Interface {
		return in.facts
	}
	if w, ok := in.wires[name]; ok {
		return w.facts
	}
	return in.extra[name]
}

// updateExtraInterfaces takes over what is known of the other interfaces, and reports
// whether the addresses there are to be announced in another way.
func (in *instance) updateExtraInterfaces(facts map[string]netdev.Interface) (changed bool) {
	now := make(map[string]netdev.Interface, len(in.conf.Extra))
	for _, p := range in.conf.Extra {
		f, was := facts[p.Interface], in.extra[p.Interface]
		changed = changed || f.Index != was.Index || f.MAC != was.MAC || f.Forwarding6 != was.Forwarding6
		now[p.Interface] = f
	}
	in.extra = now
	return changed
}

// diagnoseExtraInterfaces says why an instance cannot have its addresses on other
// interfaces. It can still say on its own interface that it stops.
func (in *instance) diagnoseExtraInterfaces(fault func(key string, wireLost bool, format string, args ...any)) {
	for _, p := range in.conf.Extra {
		key := faultLink + ":" + p.Interface
		switch f := in.extra[p.Interface]; {
		case f.Index == 0:
			fault(key, false, "interface %s, where it has addresses, does not exist", p.Interface)
		case f.Name != p.Interface:
			fault(key, false, "interface %s, where it has addresses, does not exist; it is called %s now", p.Interface, f.Name)
		case !f.Admin:
			fault(key, false, "interface %s, where it has addresses, is down", p.Interface)
		case !f.Up:
			fault(key, false, "interface %s, where it has addresses, has no carrier", p.Interface)
		case in.extraPortErr != nil:
			fault(key, false, "%v", in.extraPortErr)
		}
	}
}

// announceExtraInterfaces adds the announcements of the addresses on other interfaces.
func (in *instance) announceExtraInterfaces(tx *speaker.TxConfig) error {
	for _, p := range in.conf.Extra {
		f, mac := in.extra[p.Interface], frame.MAC(in.conf.MAC.Address)
		if in.conf.MAC.Mode == conf.MACInterface {
			mac = f.MAC
		}
		if f.Index == 0 {
			continue
		}
		if err := addAnnouncements(tx, f.Index, mac, f.Forwarding6, announced(in.conf, p.Interface)); err != nil {
			return err
		}
	}
	return nil
}
