package policy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// MainTable is the routing table of `ip route`.
	MainTable = unix.RT_TABLE_MAIN
	// LocalTable is the one of the host's own addresses.
	LocalTable = unix.RT_TABLE_LOCAL
)

// Route returns nil if a routing table has a usable route to exactly a prefix,
// by an interface if one is named, and otherwise what is wrong. A route that
// refuses (blackhole, unreachable, prohibit) is none, and so is one whose
// interfaces have no carrier.
func Usable(prefix netip.Prefix, table uint32, via string) error {
	family := netlink.FAMILY_V4
	if prefix.Addr().Is6() {
		family = netlink.FAMILY_V6
	}
	index := 0
	if via != "" {
		l, err := netlink.LinkByName(via)
		if err != nil {
			return fmt.Errorf("interface %s does not exist", via)
		}
		index = l.Attrs().Index
	}
	usable, there := false, false
	err := netlink.RouteListFilteredIter(family, &netlink.Route{Table: int(table)}, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
		if destination(r.Dst, prefix.Addr().Is6()) == prefix {
			there = true
			usable = usable || leads(&r, index)
		}
		return !usable
	})
	switch {
	case usable:
		return nil
	case err != nil && !errors.Is(err, netlink.ErrDumpInterrupted):
		return fmt.Errorf("look at the routes: %w", err)
	case there && via != "":
		return fmt.Errorf("no route to %v by %s works", prefix, via)
	case there:
		return fmt.Errorf("no route to %v works", prefix)
	}
	return fmt.Errorf("there is no route to %v", prefix)
}

// destination is where a route leads to; nil is everywhere.
func destination(dst *net.IPNet, v6 bool) netip.Prefix {
	if dst == nil {
		if v6 {
			return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	a, _ := netip.AddrFromSlice(dst.IP)
	ones, _ := dst.Mask.Size()
	if !v6 {
		a = a.Unmap()
	}
	return netip.PrefixFrom(a, ones)
}

// leads reports whether a route can be taken, by the interface if index is not 0.
func leads(r *netlink.Route, index int) bool {
	if r.Type != unix.RTN_UNICAST && r.Type != unix.RTN_LOCAL {
		return false
	}
	if len(r.MultiPath) == 0 {
		return hopWorks(r.LinkIndex, r.Flags, index)
	}
	for _, hop := range r.MultiPath {
		if hopWorks(hop.LinkIndex, hop.Flags, index) {
			return true
		}
	}
	return false
}

func hopWorks(link, flags, index int) bool {
	return flags&(unix.RTNH_F_DEAD|unix.RTNH_F_LINKDOWN) == 0 && (index == 0 || link == index)
}
