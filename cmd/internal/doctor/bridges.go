package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"holdfast/conf"
)

// A bridgeFacts describes a bridge that is the interface of a virtual router, or that one
// is a port of.
type bridgeFacts struct {
	Interface, Bridge string
	Snooping          bool
	OwnQuerier        bool // the bridge asks by itself
}

// lookAtBridges asks by netlink, because /sys may show another network namespace.
func lookAtBridges(_ context.Context, p *Patient) (all []bridgeFacts, err error) {
	seen := map[string]bool{}
	for i := range p.Config.VRRP {
		in := &p.Config.VRRP[i]
		if in.Unicast || seen[in.Interface] {
			continue
		}
		seen[in.Interface] = true
		f, isBridge, lookErr := bridgeOf(in.Interface)
		err = errors.Join(err, lookErr)
		if isBridge {
			all = append(all, f)
		}
	}
	return all, err
}

// bridgeOf describes the bridge that an interface is or is a port of.
func bridgeOf(name string) (f bridgeFacts, isBridge bool, err error) {
	link, err := netlink.LinkByName(name)
	if err == nil && link.Type() != "bridge" && link.Attrs().MasterIndex != 0 {
		link, err = netlink.LinkByIndex(link.Attrs().MasterIndex)
	}
	if err != nil {
		return f, false, fmt.Errorf("look at %s: %w", name, err)
	}
	if link.Type() != "bridge" {
		return f, false, nil
	}
	f.Interface, f.Bridge = name, link.Attrs().Name
	f.Snooping, f.OwnQuerier, err = multicastOf(link.Attrs().Index)
	return f, true, err
}

// multicastOf reads two settings of a bridge, of which the library knows one.
func multicastOf(index int) (snooping, querier bool, err error) {
	request := nl.NewNetlinkRequest(unix.RTM_GETLINK, 0)
	about := nl.NewIfInfomsg(unix.AF_UNSPEC)
	about.Index = int32(index)
	request.AddData(about)
	answers, err := request.Execute(unix.NETLINK_ROUTE, 0)
	if err != nil || len(answers) != 1 {
		return false, false, fmt.Errorf("look at the bridge with index %d: %w", index, err)
	}
	level := answers[0][unix.SizeofIfInfomsg:]
	for _, next := range []uint16{unix.IFLA_LINKINFO, nl.IFLA_INFO_DATA} {
		attributes, err := nl.ParseRouteAttr(level)
		if err != nil {
			return false, false, fmt.Errorf("read the settings of the bridge with index %d: %w", index, err)
		}
		level = nil
		for _, a := range attributes {
			if a.Attr.Type&nl.NLA_TYPE_MASK == next {
				level = a.Value
			}
		}
	}
	settings, err := nl.ParseRouteAttr(level)
	for _, a := range settings {
		on := len(a.Value) == 1 && a.Value[0] == 1
		switch a.Attr.Type & nl.NLA_TYPE_MASK {
		case nl.IFLA_BR_MCAST_SNOOPING:
			snooping = on
		case nl.IFLA_BR_MCAST_QUERIER:
			querier = on
		}
	}
	return snooping, querier, err
}

func judgeBridges(p *Patient, all []bridgeFacts) (found []Finding) {
	for _, f := range all {
		if !f.Snooping || f.OwnQuerier || !multicasts(p.Config, f.Interface) {
			continue
		}
		found = append(found, Finding{
			Severity: Warning,
			What:     fmt.Sprintf("the bridge %s (for %s) snoops on multicast, and does not ask for members itself", f.Bridge, f.Interface),
			Why:      "Without another querier on the wire, the bridge and the switches forget after some minutes who wants adverts: two MASTERs.",
			Cure: fmt.Sprintf("ip link set %s type bridge mcast_querier 1 (or mcast_snooping 0), and the same in the configuration of the network; or unicast = true",
				f.Bridge),
		})
	}
	return found
}

func multicasts(c *conf.Config, name string) bool {
	for i := range c.VRRP {
		if c.VRRP[i].Interface == name && !c.VRRP[i].Unicast {
			return true
		}
	}
	return false
}
