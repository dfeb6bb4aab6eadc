package netdev

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// The groups of RFC 9568 §5.1.1.2 and §5.1.2.2.
var (
	group4 = netip.MustParseAddr("224.0.0.18")
	group6 = netip.MustParseAddr("ff02::12")
)

// groups returns the groups that an ear is to join.
func (l *Listen) groups(kind earKind) []netip.Addr {
	var list []netip.Addr
	for _, g := range l.Groups {
		if g.Is6() == (kind == ear6) && !slices.Contains(list, g) {
			list = append(list, g)
		}
	}
	switch {
	case len(list) > 0:
		return list
	case kind == ear6:
		return []netip.Addr{group6}
	}
	return []netip.Addr{group4}
}

// regroup joins the groups that are missing, and leaves those that are not
// wanted any more.
func (e *ear) regroup(want []netip.Addr) error {
	for _, g := range want {
		if slices.Contains(e.groups, g) {
			continue
		}
		if err := e.member(g, unix.IP_ADD_MEMBERSHIP, unix.IPV6_JOIN_GROUP); err != nil {
			return fmt.Errorf("join %v: %w", g, err)
		}
		e.groups = append(e.groups, g)
	}
	for _, g := range slices.Clone(e.groups) {
		if slices.Contains(want, g) {
			continue
		}
		if err := e.member(g, unix.IP_DROP_MEMBERSHIP, unix.IPV6_LEAVE_GROUP); err != nil {
			return fmt.Errorf("leave %v: %w", g, err)
		}
		e.groups = slices.DeleteFunc(e.groups, func(h netip.Addr) bool { return h == g })
	}
	return nil
}

// member changes the membership of a group.
func (e *ear) member(g netip.Addr, option4, option6 int) error {
	if g.Is6() {
		return unix.SetsockoptIPv6Mreq(e.fd, unix.IPPROTO_IPV6, option6,
			&unix.IPv6Mreq{Multiaddr: g.As16(), Interface: uint32(e.index)})
	}
	return unix.SetsockoptIPMreqn(e.fd, unix.IPPROTO_IP, option4,
		&unix.IPMreqn{Multiaddr: g.As4(), Ifindex: int32(e.index)})
}
