package realserver

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"

	"holdfast/netdev/sysctl"
)

// Down takes VIPs back that Up has set up, all of them if none is given. It puts back
// what no other VIP needs. A sysctl that somebody else has changed meanwhile stays.
// Down goes on after an error, and what it could not put back is still known to the
// next Down.
func Down(dir Dir, vips []netip.Addr) (done []string, err error) {
	s, unlock, err := dir.open()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if len(vips) == 0 {
		vips = s.addresses()
	}
	d := &downer{state: s}
	for _, vip := range vips {
		d.vip(vip)
	}
	d.rest()
	d.errs = append(d.errs, dir.save(s))
	return d.done, errors.Join(d.errs...)
}

// A downer carries out Down.
type downer struct {
	state *state
	done  []string
	errs  []error
}

// did notes a change, or why there was none, and reports whether there was one.
func (d *downer) did(err error, format string, args ...any) bool {
	if err != nil {
		d.errs = append(d.errs, err)
		return false
	}
	d.done = append(d.done, fmt.Sprintf(format, args...))
	return true
}

func (d *downer) vip(vip netip.Addr) {
	v, known := d.state.VIPs[vip]
	if !known {
		where, err := holders(vip)
		if err == nil && len(where) > 0 {
			err = fmt.Errorf("%v on %s was not set up by holdfast realserver", where[0].Prefix, where[0].Device)
		}
		d.errs = append(d.errs, err)
		return
	}
	o := v.options(vip)
	n := o.needs(vip)
	link, err := find(n.Device)
	switch {
	case err != nil:
		d.errs = append(d.errs, err)
		return
	case v.Found:
		d.did(nil, "left %v on %s: it was there before", n.Address, n.Device)
	case link == nil:
		d.did(nil, "%v is gone already: there is no device %s", n.Address, n.Device)
	default:
		removed, err := removeAddress(link, n.Address)
		if err != nil {
			d.errs = append(d.errs, err)
			return
		}
		if removed {
			d.did(nil, "removed %v from %s", n.Address, n.Device)
		}
	}
	delete(d.state.VIPs, vip)
}

// rest puts back what no VIP needs any more: first the devices, so that none of
// their addresses is served or announced, then the sysctls.
func (d *downer) rest() {
	settings, links, ports := d.state.needed()
	d.state.Ports = slices.DeleteFunc(d.state.Ports, func(p port) bool {
		return !slices.Contains(ports, p) && d.did(closePort(p), "closed the GUE port %d", p.Number)
	})
	for _, name := range slices.Sorted(maps.Keys(d.state.Links)) {
		if !links[name] && d.link(name, d.state.Links[name]) {
			delete(d.state.Links, name)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(d.state.Settings)) {
		if !settings[key] && d.setting(key, d.state.Settings[key]) {
			delete(d.state.Settings, key)
		}
	}
}

// link undoes what was done to a device, and reports whether that is done.
func (d *downer) link(name string, l linkState) bool {
	link, err := find(name)
	switch {
	case err != nil:
		d.errs = append(d.errs, err)
		return false
	case link == nil:
		return true
	case l.Made:
		return d.did(named(netlink.LinkDel(link), "delete", name), "deleted %s", name)
	}
	return d.did(named(netlink.LinkSetDown(link), "set down", name), "set %s down", name)
}

func named(err error, what, device string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", what, device, err)
}

// setting puts a sysctl back, and reports whether there is nothing left to do.
func (d *downer) setting(key string, former formerSetting) bool {
	now, err := sysctl.Read(key)
	switch {
	case absent(err): // its device is gone
		return true
	case err != nil:
		d.errs = append(d.errs, err)
		return false
	case now == former.Was:
		return true
	case now != former.Set:
		return d.did(nil, "left %s at %s: somebody has changed it", sysctl.Name(key), now)
	}
	return d.did(sysctl.Write(key, former.Was), "set %s back to %s", sysctl.Name(key), former.Was)
}
