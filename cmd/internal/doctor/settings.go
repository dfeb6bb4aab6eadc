package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"holdfast/conf"
	"holdfast/netdev/sysctl"
	"holdfast/vrrp"
)

// interfaceFacts are sysctls of an interface. Those of IPv4 are effective: the larger of
// the interface's own and that of all (IN_DEV_MAXCONF in include/linux/inetdevice.h).
type interfaceFacts struct {
	Exists            bool
	Filter, OwnFilter string // rp_filter
	AllFilter         string
	Ignore, Announce  string // arp_ignore, arp_announce
	NoIPv6            bool   // disable_ipv6
	HasIPv6           bool   // the kernel has IPv6 at all
}

// settingFacts are those of every interface and device of a virtual router.
type settingFacts map[string]interfaceFacts

func lookAtSettings(_ context.Context, p *Patient) (settingFacts, error) {
	facts := settingFacts{}
	var errs []error
	for i := range p.Config.VRRP {
		in := &p.Config.VRRP[i]
		for _, name := range append(in.Interfaces(), devices(in)...) {
			if _, known := facts[name]; known || name == "" {
				continue
			}
			f, err := lookAtInterface(name)
			facts[name] = f
			errs = append(errs, err)
		}
	}
	return facts, errors.Join(errs...)
}

// devices returns the macvlans of a virtual router.
func devices(in *conf.Instance) []string {
	var all []string
	if in.Device != "" {
		all = append(all, in.Device)
	}
	for _, x := range in.Extra {
		if x.Device != "" {
			all = append(all, x.Device)
		}
	}
	return all
}

func lookAtInterface(name string) (f interfaceFacts, err error) {
	f.OwnFilter, err = sysctl.Read(sysctl.Key("ipv4", name, "rp_filter"))
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	f.Exists = true
	effective := func(what string) string {
		all, e1 := sysctl.Read(sysctl.Key("ipv4", "all", what))
		own, e2 := sysctl.Read(sysctl.Key("ipv4", name, what))
		err = errors.Join(err, e1, e2)
		return max(all, own) // one digit each
	}
	f.Filter, f.Ignore, f.Announce = effective("rp_filter"), effective("arp_ignore"), effective("arp_announce")
	f.AllFilter, _ = sysctl.Read(sysctl.Key("ipv4", "all", "rp_filter"))
	if f.HasIPv6 = sysctl.HasIPv6(); f.HasIPv6 {
		off, readErr := sysctl.Read(sysctl.Key("ipv6", name, "disable_ipv6"))
		f.NoIPv6 = off == "1"
		err = errors.Join(err, readErr)
	}
	return f, err
}

func judgeSettings(p *Patient, facts settingFacts) (found []Finding) {
	add := func(f ...Finding) {
		for _, one := range f {
			if !slices.ContainsFunc(found, func(o Finding) bool { return o.What == one.What }) {
				found = append(found, one)
			}
		}
	}
	for i := range p.Config.VRRP {
		in := &p.Config.VRRP[i]
		here := slices.ContainsFunc(devices(in), func(name string) bool { return facts[name].Exists })
		if in.Family == vrrp.IPv6 {
			for _, name := range append(in.Interfaces(), devices(in)...) {
				add(judgeIPv6(in, name, facts[name])...)
			}
			continue
		}
		// Before the first start nothing is set: the daemon does that.
		for _, name := range devices(in) {
			add(judgeFilter4(name, facts[name])...)
		}
		if here {
			for _, name := range in.Interfaces() {
				add(judgeARP(in, name, facts[name])...)
			}
		}
	}
	return found
}

// judgeFilter4 judges the source validation of a macvlan.
func judgeFilter4(name string, f interfaceFacts) []Finding {
	if !f.Exists || f.Filter != "1" {
		return nil
	}
	key := sysctl.Key("ipv4", name, "rp_filter")
	value := "0"
	if f.AllFilter == "1" {
		value = "2" // more than that of all
	}
	one := Finding{Severity: Error,
		What: fmt.Sprintf("rp_filter is strict on %s: all has %s, %s has %s, and the larger one counts", name, f.AllFilter, name, f.OwnFilter),
		Why:  "The way back to clients is the interface below, so the kernel drops every packet to the virtual addresses."}
	one.Cure, one.fix = settingNow(key, value, "set net.ipv4.conf.all.rp_filter to 0 or 2 where /etc/sysctl.d or a program sets it to 1")
	return []Finding{one}
}

// judgeARP judges the interface below a macvlan.
func judgeARP(in *conf.Instance, name string, f interfaceFacts) (found []Finding) {
	if !f.Exists {
		return nil
	}
	if f.Ignore != "1" && f.Ignore != "2" && f.Ignore != "8" {
		one := Finding{Severity: Error, What: fmt.Sprintf("arp_ignore on %s is %s, not 1", name, f.Ignore),
			Why: fmt.Sprintf("%s answers ARP for the addresses of %s with its own MAC address: clients lose them at a failover.", name, in.Name)}
		one.Cure, one.fix = setting(sysctl.Key("ipv4", name, "arp_ignore"), "1")
		found = append(found, one)
	}
	if f.Announce < "2" {
		one := Finding{Severity: Error, What: fmt.Sprintf("arp_announce on %s is %s, not 2", name, f.Announce),
			Why: fmt.Sprintf("ARP requests of %s teach neighbours its own MAC address for the addresses of %s.", name, in.Name)}
		one.Cure, one.fix = setting(sysctl.Key("ipv4", name, "arp_announce"), "2")
		found = append(found, one)
	}
	return found
}

// judgeIPv6 judges an interface or macvlan of an IPv6 virtual router.
func judgeIPv6(in *conf.Instance, name string, f interfaceFacts) []Finding {
	switch {
	case !f.Exists:
		return nil
	case !f.HasIPv6:
		return []Finding{{Severity: Error, What: fmt.Sprintf("the kernel has no IPv6, and the virtual router %s needs it", in.Name),
			Why: "It stays in FAULT.", Cure: "boot without ipv6.disable=1"}}
	case !f.NoIPv6:
		return nil
	}
	one := Finding{Severity: Error, What: fmt.Sprintf("disable_ipv6 is 1 on %s, and the virtual router %s needs IPv6 there", name, in.Name),
		Why: "The interface has no link-local address to send adverts from: the virtual router stays in FAULT."}
	one.Cure, one.fix = setting(sysctl.Key("ipv6", name, "disable_ipv6"), "0")
	return []Finding{one}
}
