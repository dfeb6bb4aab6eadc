package netdev

import (
	"path"
	"slices"
)

// A confDir names a directory of settings below /proc/sys/net/ipv4/conf, or
// ipv6: that of an interface, or one of commonSettings.
type confDir struct {
	name  string
	index int32 // of the interface; 0 for the others
	ipv6  bool
}

func confDirOf(family, name string, index int) confDir {
	return confDir{name, int32(index), family == "ipv6"}
}

func (c confDir) family() string {
	if c.ipv6 {
		return "ipv6"
	}
	return "ipv4"
}

// A holding is what the settings of a directory have to be. All macvlans of a
// parent share one.
type holding struct {
	settings []setting // with the one value that will do; of the other family too
	wants    []want    // with other values that will do
	common   []string  // names; every write may have changed some interface's
}

// A heldDir is a directory in which there are settings that we hold. There are
// thousands.
type heldDir struct {
	confDir
	*holding

	pass  int32 // in which it was held last
	fd    int32 // of the directory; -1: not open
	watch int32 // if it is open
	waits bool  // in line to be watched
}

// commonSettings are those that the kernel copies to interfaces: `all` and
// ip_forward to all of them, and the IPv4 ones of `default` to those whose own
// was never set (net/ipv4/devinet.c devinet_copy_dflt_conf).
func commonSettings() map[confDir][]string {
	all := map[confDir][]string{
		confDirOf("ipv4", "..", 0):      {"ip_forward"},
		confDirOf("ipv4", "all", 0):     {"forwarding", "rp_filter"},
		confDirOf("ipv4", "default", 0): slices.Clone(copied4),
	}
	for _, s := range fixed4 {
		all[confDirOf("ipv4", "default", 0)] = append(all[confDirOf("ipv4", "default", 0)], s.name)
	}
	if hasIPv6() {
		all[confDirOf("ipv6", "all", 0)] = []string{"forwarding", "disable_ipv6"}
	}
	return all
}

// concern says what a write to a setting means, by what it says now.
func (d *heldDir) concern(name string) Concern {
	if slices.Contains(d.common, name) {
		return Suspicion
	}
	if !d.holds(name) {
		return Nothing
	}
	now, err := readValue(int(d.fd), name)
	if err != nil || d.fine(name, now) {
		return Nothing // or it has gone, with its interface
	}
	return Damage
}

func (d *heldDir) holds(name string) bool {
	return slices.ContainsFunc(d.settings, func(s setting) bool { return s.family == d.family() && s.name == name }) ||
		slices.ContainsFunc(d.wants, func(w want) bool { return path.Base(w.key) == name })
}

func (d *heldDir) fine(name, now string) bool {
	for _, s := range d.settings {
		if s.family == d.family() && s.name == name && s.value != now {
			return false
		}
	}
	for _, w := range d.wants {
		if path.Base(w.key) == name && w.value != now && !w.fine(now) {
			return false
		}
	}
	return true
}

// wrong returns a setting that is not as it has to be in a link message.
func (d *heldDir) wrong(told *devconf) (name string, found bool) {
	for _, s := range d.settings {
		if value, ok := told.get(s.family, s.name); ok && s.family == d.family() && s.value != value {
			return s.name, true
		}
	}
	for _, w := range d.wants {
		name := path.Base(w.key)
		if value, ok := told.get(d.family(), name); ok && w.value != value && !w.fine(value) {
			return name, true
		}
	}
	return "", false
}

// holdDevice notes what the settings of a macvlan have to be from now on.
func (w *settingWatch) holdDevice(d *device, all *holding) {
	w.hold(confDirOf("ipv4", d.spec.Name, d.index), all)
	if s := all.settings; s[len(s)-1].family == "ipv6" {
		w.hold(confDirOf("ipv6", d.spec.Name, d.index), all)
	}
}

// holdInterfaces notes what settings of interfaces that are not ours have to
// be, and which our macvlans have copied from them.
func (w *settingWatch) holdInterfaces(o *observation, wants []want, parents parentConf) {
	if w == nil || o == nil {
		return
	}
	all := map[confDir]*holding{}
	at := func(family string, l *link) *holding {
		dir := confDirOf(family, l.name, l.index)
		if all[dir] == nil {
			all[dir] = &holding{}
		}
		return all[dir]
	}
	for _, one := range wants {
		if l := o.byIndex[one.index]; l != nil {
			h := at("ipv4", l)
			h.wants = append(h.wants, one)
		}
	}
	for key, macvlan := range parents {
		parent := o.byName[key.parent]
		if parent == nil {
			continue
		}
		at("ipv4", parent).settings = copied(macvlan.settings)
		if key.ipv6 {
			at("ipv6", parent).settings = copied(macvlan.settings)
		}
	}
	for dir, h := range all {
		w.hold(dir, h)
	}
}

// copied returns those of a macvlan's settings that are its parent's.
func copied(all []setting) []setting {
	return slices.DeleteFunc(slices.Clone(all), func(s setting) bool {
		return s.family == "ipv4" && !slices.Contains(copied4, s.name) || s.family == "ipv6" && !slices.Contains(copied6, s.name)
	})
}
