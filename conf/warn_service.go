package conf

import (
	"net/netip"
	"slices"

	"holdfast/lvs"
)

// warnOfServices warns of services whose packets do not reach this director.
func (c *Config) warnOfServices(s sections) {
	if len(c.VRRP) == 0 {
		return // the addresses are somebody else's to bring
	}
	holders := make(map[netip.Addr]*Instance)
	for i := range c.VRRP {
		in := &c.VRRP[i]
		for _, a := range slices.Concat(in.Prefixes, in.Excluded) {
			holders[a.Addr()] = in
		}
	}
	for i, t := range s.services {
		v := &c.Services[i]
		address := v.Service.Key.Address.Addr()
		if !address.IsValid() || address.IsUnspecified() {
			continue
		}
		in := holders[address]
		switch {
		case in == nil:
			t.warnf("address", "no [[vrrp]] has the address %v: the service gets packets only if something else brings them here", address)
		case v.Active == lvs.ActiveMaster && !c.follows(v.Follow, in):
			t.warnf("follow", "the service follows %q, but its address %v moves with %q", v.Follow, address, c.moves(in))
		}
	}
}

// follows reports whether name is the instance or its group.
func (c *Config) follows(name string, in *Instance) bool {
	return slices.ContainsFunc(c.together(in), func(m *Instance) bool { return m.Name == name }) || name == c.moves(in)
}

// moves returns the name of what decides where an instance is MASTER.
func (c *Config) moves(in *Instance) string {
	if g := c.groupOf(in.Name); g != nil {
		return g.Name
	}
	return in.Name
}
