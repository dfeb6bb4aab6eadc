package policy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A routeFilter says which routes to dump; 0 means any.
type routeFilter struct {
	table    uint32
	protocol uint8
}

func (f routeFilter) passes(protocol uint8, k *routeKey) bool {
	return (f.protocol == 0 || protocol == f.protocol) && (f.table == 0 || k.table == f.table)
}

// eachRoute calls do with the body of every route of a family that the kernel's filter
// lets through, without cached lookups. If the table changed meanwhile, it calls reset
// and starts again. c cannot be used after an error of do.
func eachRoute(c *rtnl.Conn, v6 bool, f routeFilter, reset func(), do func([]byte) error) error {
	ask := func() *nl.NetlinkRequest {
		q := nl.NewNetlinkRequest(unix.RTM_GETROUTE, 0)
		q.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family(v6)), Protocol: f.protocol}})
		if f.table != 0 {
			q.AddData(nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(f.table)))
		}
		return q
	}
	err := c.Dump(ask, unix.RTM_NEWROUTE, reset, func(b []byte) error {
		if len(b) >= unix.SizeofRtMsg && nl.DeserializeRtMsg(b).Flags&unix.RTM_F_CLONED != 0 {
			return nil
		}
		return do(b)
	})
	// A table without routes does not exist; nor may the family.
	if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EAFNOSUPPORT) {
		return fmt.Errorf("list routes: %w", err)
	}
	return nil
}

// parseRouteKey reads the key of a route from the body of an RTM_NEWROUTE or RTM_DELROUTE
// message.
func parseRouteKey(b []byte) (m unix.RtMsg, k routeKey, err error) {
	if len(b) < unix.SizeofRtMsg {
		return m, k, fmt.Errorf("parse route message: %d bytes are too short", len(b))
	}
	m = nl.DeserializeRtMsg(b).RtMsg
	k.table, k.tos = uint32(m.Table), m.Tos
	to := netip.IPv4Unspecified()
	if m.Family == unix.AF_INET6 {
		to = netip.IPv6Unspecified()
	}
	rtnl.EachAttribute(b[unix.SizeofRtMsg:], func(kind uint16, value []byte) {
		switch {
		case kind == unix.RTA_DST:
			to, _ = netip.AddrFromSlice(value)
		case len(value) < 4:
		case kind == unix.RTA_TABLE:
			k.table = binary.NativeEndian.Uint32(value)
		case kind == unix.RTA_PRIORITY:
			k.metric = binary.NativeEndian.Uint32(value)
		}
	})
	if k.to = netip.PrefixFrom(to, int(m.Dst_len)); !k.to.IsValid() {
		return m, k, fmt.Errorf("parse route message: no valid destination of length %d", m.Dst_len)
	}
	return m, k, nil
}
