package netdev

import (
	"path"
	"slices"
)

// A confDir names a directory of settings below /proc/sys/net/FAMILY/conf: that
// of an interface, or one of commonSettings.
type confDir struct {
	family, name string
	index        int // of the interface; 0 for the others
}

// A heldDir is a directory in which there are settings that we hold.
type heldDir struct {
	confDir
	settings []setting // with the one value that will do; of the other family too
	wants    []want    // with other values that will do
	common   []string  // names; every write may have changed some interface's

	pass  int   // in which it was held last
	fd    int   // of the directory; -1: not open
	watch int32 // if it is open
	waits bool  // in line to be watched
}

// commonSettings are those that the kernel copies to interfaces: `all` and
// ip_forward to all of them, and the IPv4 ones of `default` to those whose own
// was never set (net/ipv4/devinet.c devinet_copy_dflt_conf).
func commonSettings() []*heldDir {
	all := []*heldDir{
		{confDir: confDir{family: "ipv4", name: ".."}, common: []string{"ip_forward"}},
		{confDir: confDir{family: "ipv4", name: "all"}, common: []string{"forwarding", "rp_filter"}},
		{confDir: confDir{family: "ipv4", name: "default"}, common: slices.Clone(copied4)},
	}
	for _, s := range fixed4 {
		all[2].common = append(all[2].common, s.name)
	}
	if hasIPv6() {
		all = append(all, &heldDir{confDir: confDir{family: "ipv6", name: "all"}, common: []string{"forwarding", "disable_ipv6"}})
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
	now, err := readValue(d.fd, name)
	if err != nil || d.fine(name, now) {
		return Nothing // or it has gone, with its interface
	}
	return Damage
}

func (d *heldDir) holds(name string) bool {
	return slices.ContainsFunc(d.settings, func(s setting) bool { return s.family == d.family && s.name == name }) ||
		slices.ContainsFunc(d.wants, func(w want) bool { return path.Base(w.key) == name })
}

func (d *heldDir) fine(name, now string) bool {
	for _, s := range d.settings {
		if s.family == d.family && s.name == name && s.value != now {
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

// holdDevice notes what the settings of a macvlan have to be from now on.
func (w *settingWatch) holdDevice(d *device, all []setting) {
	w.hold(confDir{"ipv4", d.spec.Name, d.index}, all, nil)
	if all[len(all)-1].family == "ipv6" {
		w.hold(confDir{"ipv6", d.spec.Name, d.index}, all, nil)
	}
}

// holdInterfaces notes what settings of interfaces that are not ours have to
// be, and which our macvlans have copied from them.
func (w *settingWatch) holdInterfaces(o *observation, wants []want, parents parentConf) {
	if w == nil || o == nil {
		return
	}
	byIndex, copies := map[int][]want{}, map[confDir][]setting{}
	for _, one := range wants {
		byIndex[one.index] = append(byIndex[one.index], one)
	}
	for key, all := range parents {
		parent := o.byName[key.parent]
		if parent == nil {
			continue
		}
		copies[confDir{"ipv4", parent.name, parent.index}] = copied(all)
		if key.ipv6 {
			copies[confDir{"ipv6", parent.name, parent.index}] = copied(all)
		}
	}
	for index, some := range byIndex {
		if l := o.byIndex[index]; l != nil {
			dir := confDir{"ipv4", l.name, index}
			w.hold(dir, copies[dir], some)
			delete(copies, dir)
		}
	}
	for dir, some := range copies {
		w.hold(dir, some, nil)
	}
}

// copied returns those of a macvlan's settings that are its parent's.
func copied(all []setting) []setting {
	return slices.DeleteFunc(slices.Clone(all), func(s setting) bool {
		return s.family == "ipv4" && !slices.Contains(copied4, s.name) || s.family == "ipv6" && !slices.Contains(copied6, s.name)
	})
}
