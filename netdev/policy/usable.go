package policy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// MainTable is the routing table of `ip route`.
	MainTable = unix.RT_TABLE_MAIN
	// LocalTable is the one of the host's own addresses.
	LocalTable = unix.RT_TABLE_LOCAL
)

// Usable returns nil if a routing table has a usable route to exactly a prefix, and
// otherwise what is wrong. If via is not "", the route must leave by that interface. A
// blackhole, unreachable or prohibit route is not usable, nor is one whose interfaces
// have no carrier.
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
	usable, there, err := findRoute(family, prefix, table, index)
	for pause := lookPause; !usable && errors.Is(err, netlink.ErrDumpInterrupted) && pause <= lookPauseMax; pause *= 2 {
		time.Sleep(pause)
		usable, there, err = findRoute(family, prefix, table, index)
	}
	switch {
	case usable:
		return nil
	case err != nil: // what an interrupted dump lacks may be there
		return fmt.Errorf("look at the routes: %w", err)
	case there && via != "":
		return fmt.Errorf("no route to %v by %s works", prefix, via)
	case there:
		return fmt.Errorf("no route to %v works", prefix)
	}
	return fmt.Errorf("there is no route to %v", prefix)
}

// lookPause is the pause after the first dump that a change interrupted. It doubles up
// to lookPauseMax, which makes half a second in all.
const (
	lookPause    = time.Millisecond
	lookPauseMax = 256 * time.Millisecond
)

// findRoute reports whether a route to a prefix is there, and whether one is usable.
func findRoute(family int, prefix netip.Prefix, table uint32, index int) (usable, there bool, err error) {
	err = netlink.RouteListFilteredIter(family, &netlink.Route{Table: int(table)}, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
		if destination(r.Dst, prefix.Addr().Is6()) == prefix {
			there = true
			usable = usable || leads(&r, index)
		}
		return !usable
	})
	return usable, there, err
}

// destination converts a destination; nil is the default route.
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

// leads reports whether a route can be used, by the interface if index is not 0.
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
