package port

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

// groups returns the groups that a receive socket is to join.
func (l *Listen) groups(kind rxKind) []netip.Addr {
	var list []netip.Addr
	for _, g := range l.Groups {
		if g.Is6() == (kind == rx6) && !slices.Contains(list, g) {
			list = append(list, g)
		}
	}
	switch {
	case len(list) > 0:
		return list
	case kind == rx6:
		return []netip.Addr{group6}
	}
	return []netip.Addr{group4}
}

// setGroups joins the missing groups, and leaves those that are no longer
// wanted.
func (s *rxSocket) setGroups(want []netip.Addr) error {
	for _, g := range want {
		if slices.Contains(s.groups, g) {
			continue
		}
		if err := s.member(g, unix.IP_ADD_MEMBERSHIP, unix.IPV6_JOIN_GROUP); err != nil {
			return fmt.Errorf("join %v: %w", g, err)
		}
		s.groups = append(s.groups, g)
	}
	for _, g := range slices.Clone(s.groups) {
		if slices.Contains(want, g) {
			continue
		}
		if err := s.member(g, unix.IP_DROP_MEMBERSHIP, unix.IPV6_LEAVE_GROUP); err != nil {
			return fmt.Errorf("leave %v: %w", g, err)
		}
		s.groups = slices.DeleteFunc(s.groups, func(h netip.Addr) bool { return h == g })
	}
	return nil
}

// member sets the socket option that joins or leaves a group.
func (s *rxSocket) member(g netip.Addr, option4, option6 int) error {
	if g.Is6() {
		return unix.SetsockoptIPv6Mreq(s.fd, unix.IPPROTO_IPV6, option6,
			&unix.IPv6Mreq{Multiaddr: g.As16(), Interface: uint32(s.index)})
	}
	return unix.SetsockoptIPMreqn(s.fd, unix.IPPROTO_IP, option4,
		&unix.IPMreqn{Multiaddr: g.As4(), Ifindex: int32(s.index)})
}
