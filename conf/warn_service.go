package conf

import (
	"net/netip"
	"slices"

	"holdfast/lvs"
)

// warnOfServices warns of services whose packets do not reach this director.
func (c *Config) warnOfServices(s sections, units []*unit) {
	if len(c.VRRP) == 0 {
		return // something else brings the addresses
	}
	holders := make(map[netip.Addr]*unit)
	for _, u := range units {
		for _, m := range u.members {
			for _, a := range slices.Concat(m.Prefixes, m.Excluded) {
				holders[a.Addr()] = u
			}
		}
	}
	for i, t := range s.services {
		v := &c.Services[i]
		warned := make(map[netip.Addr]bool)
		for _, k := range v.Keys() {
			address := k.Address.Addr()
			if !address.IsValid() || address.IsUnspecified() || warned[address] {
				continue
			}
			warned[address] = true
			u := holders[address]
			switch {
			case u == nil:
				t.warnf("address", "no [[vrrp]] has the address %v: the service gets packets only if something else brings them here", address)
			case v.Active == lvs.ActiveMaster && !u.moves(v.Follow):
				t.warnf("follow", "the service follows %q, but its address %v moves with %q", v.Follow, address, u.name)
			}
		}
	}
}

// moves reports whether name is the unit or one of its members.
func (u *unit) moves(name string) bool {
	return u.name == name || slices.ContainsFunc(u.members, func(m member) bool { return m.Name == name })
}
