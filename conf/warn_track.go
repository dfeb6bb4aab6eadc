package conf

import "slices"

// warnOfTrackers warns of trackers that look at what holdfast itself makes, and
// therefore see whether this director is MASTER.
func (c *Config) warnOfTrackers(s sections) {
	for i, t := range s.tracks {
		k := &c.Tracks[i]
		for j := range c.VRRP {
			if c.VRRP[j].makes(t, k) {
				break
			}
		}
	}
}

// makes warns if the instance makes what k looks at.
func (in *Instance) makes(t *table, k *Track) bool {
	const circle = "which is there only while %q is MASTER: on a BACKUP the tracker is down"
	switch k.Kind {
	case TrackInterface:
		extra := slices.ContainsFunc(in.Extra, func(x ExtraInterface) bool { return x.Device == k.Interface })
		if k.Interface == in.Device || extra {
			t.warnf("interface", "%s is the device of the virtual addresses, which is up only while %q is MASTER: on a BACKUP the tracker is down", k.Interface, in.Name)
			return true
		}
	case TrackPing, TrackNeighbour:
		for _, a := range slices.Concat(in.Prefixes, in.Excluded) {
			if a.Addr() == k.Address {
				t.warnf("address", "%v is a virtual address of %q: the MASTER asks itself, and a BACKUP asks the MASTER", k.Address, in.Name)
				return true
			}
		}
	case TrackRoute:
		for _, r := range in.Routes {
			if r.To == k.Route && r.Table == k.Table {
				t.warnf("route", "%v is a route of %q, "+circle, k.Route, in.Name, in.Name)
				return true
			}
		}
	}
	return false
}
