package conf

import (
	"net/netip"
	"slices"

	"holdfast/lvs"
)

// withoutDerived returns a copy of c in which values that loading would derive
// again are back at what stands for "not given".
func (c *Config) withoutDerived() Config {
	brief := *c
	brief.VRRP = slices.Clone(c.VRRP)
	brief.Groups = slices.Clone(c.Groups)
	brief.Services = slices.Clone(c.Services)
	weights := make(map[string]int, len(c.Tracks))
	for i := range c.Tracks {
		weights[c.Tracks[i].Name] = c.Tracks[i].Weight
	}
	forgetDevices(brief.VRRP)
	for i := range brief.VRRP {
		brief.VRRP[i].forgetDerived()
		brief.VRRP[i].Track = forgetWeights(brief.VRRP[i].Track, weights)
	}
	for i := range brief.Groups {
		brief.Groups[i].Track = forgetWeights(brief.Groups[i].Track, weights)
	}
	_, only := c.followable()
	if len(only) == 1 {
		if brief.LVS.Sync.Follow == only[0] {
			brief.LVS.Sync.Follow = ""
		}
		for i := range brief.Services {
			if s := &brief.Services[i]; s.Active == lvs.ActiveMaster && s.Follow == only[0] {
				s.Follow = ""
			}
		}
	}
	for i := range brief.Services {
		brief.Services[i].forgetPrefix()
	}
	return brief
}

// forgetDerived clears what resolve fills in.
func (in *Instance) forgetDerived() {
	if in.bare() {
		in.MAC = MAC{}
	}
	if !in.Unicast && in.Multicast == in.Family.MulticastGroup() {
		in.Multicast = netip.Addr{}
	}
	if len(in.Auth.Keys) > 0 && in.Auth.Active == in.Auth.Keys[0].ID {
		in.Auth.Active = 0
	}
	in.forgetAlso()
	in.Rules = slices.Clone(in.Rules)
	for i := range in.Rules {
		if r := &in.Rules[i]; i < rulesEach && r.Priority == in.rulePriority(i) {
			r.Priority = 0
		}
	}
}

// forgetDevices clears the device names that nameDevices would choose again. A
// name that stays can change the choice for other instances, so the loop ends
// only when nameDevices chooses every cleared name.
func forgetDevices(instances []Instance) {
	forgotten := make([]bool, len(instances))
	for i := range instances {
		forgotten[i] = instances[i].Device != ""
	}
	for {
		named := slices.Clone(instances)
		for i := range named {
			named[i].Extra = slices.Clone(named[i].Extra)
			if forgotten[i] {
				named[i].Device = ""
			}
		}
		nameDevices(named)
		again := false
		for i := range named {
			if forgotten[i] && named[i].Device != instances[i].Device {
				forgotten[i], again = false, true
			}
		}
		if !again {
			break
		}
	}
	for i := range instances {
		if forgotten[i] {
			instances[i].Device = ""
		}
	}
}

// forgetWeights clears each weight that is the tracker's own.
func forgetWeights(list []Tracking, weights map[string]int) []Tracking {
	list = slices.Clone(list)
	for i := range list {
		if own, ok := weights[list[i].Name]; ok && own == list[i].Weight {
			list[i].Weight = trackerWeight
		}
	}
	return list
}

// forgetPrefix clears a persistence prefix that covers the whole address.
func (s *Service) forgetPrefix() {
	v := s.Service
	v.PersistPrefix = 0
	if v.Canonical() == s.Service {
		s.Service.PersistPrefix = 0
	}
}
