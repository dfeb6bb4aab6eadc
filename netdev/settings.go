package netdev

import (
	"path"
	"slices"

	"holdfast/netdev/sysctl"
)

// A confDir names a directory of sysctls below /proc/sys/net/ipv4/conf or ipv6: that
// of an interface, or one of commonSettings.
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

// A holding lists the values that the sysctls of a directory must have. All macvlans
// of a parent share one.
type holding struct {
	settings []setting // each with the one value that will do; of both families
	wants    []want    // these accept other values too
	common   []string  // names; a write to one may change the sysctls of interfaces
}

// A heldDir is a directory with sysctls that we hold. There may be thousands.
type heldDir struct {
	confDir
	*holding

	pass  int32 // the last pass that held it
	fd    int32 // of the directory; -1: not open
	watch int32 // if it is open
	waits bool  // queued to be watched
}

// commonSettings returns the sysctls that the kernel copies to interfaces: `all` and
// ip_forward to all of them, and IPv4's `default` to those whose own was never set
// (net/ipv4/devinet.c devinet_copy_dflt_conf).
func commonSettings() map[confDir][]string {
	all := map[confDir][]string{
		confDirOf("ipv4", "..", 0):      {"ip_forward"},
		confDirOf("ipv4", "all", 0):     {"forwarding", "rp_filter"},
		confDirOf("ipv4", "default", 0): slices.Clone(copied4),
	}
	for _, s := range fixed4 {
		all[confDirOf("ipv4", "default", 0)] = append(all[confDirOf("ipv4", "default", 0)], s.name)
	}
	if sysctl.HasIPv6() {
		all[confDirOf("ipv6", "all", 0)] = []string{"forwarding", "disable_ipv6"}
	}
	return all
}

// concern says what a write to a sysctl means, by its value now.
func (d *heldDir) concern(name string) Concern {
	if slices.Contains(d.common, name) {
		return Suspicion
	}
	if !d.holds(name) {
		return Nothing
	}
	now, err := sysctl.ReadAt(int(d.fd), name)
	if err != nil || d.fine(name, now) {
		return Nothing // or it is gone with its interface
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

// wrong returns a sysctl that has a wrong value in a link message.
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

// holdDevice records the values that the sysctls of a macvlan must have from now on.
func (w *settingWatch) holdDevice(d *device, all *holding) {
	w.hold(confDirOf("ipv4", d.spec.Name, d.index), all)
	if s := all.settings; s[len(s)-1].family == "ipv6" {
		w.hold(confDirOf("ipv6", d.spec.Name, d.index), all)
	}
}

// holdInterfaces records the values that the sysctls of interfaces that are not ours
// must have, and those that our macvlans have copied from them.
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

// copied returns those sysctls of a macvlan that are copied from its parent.
func copied(all []setting) []setting {
	return slices.DeleteFunc(slices.Clone(all), func(s setting) bool {
		return s.family == "ipv4" && !slices.Contains(copied4, s.name) || s.family == "ipv6" && !slices.Contains(copied6, s.name)
	})
}
