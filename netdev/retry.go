package netdev

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// RetryNeighbours makes the kernel forget which neighbours did not answer on
// interfaces, named by index, and on the macvlans above them. Call it when the
// carrier of an interface has come back. Otherwise the kernel asks for a neighbour
// that did not answer again after its retransmission time (1 s), and not with the
// next packet (net/core/neighbour.c neigh_timer_handler).
func (h *Host) RetryNeighbours(indexes ...int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	concerned := slices.Clone(indexes)
	for _, d := range h.devices {
		if d.index != 0 && slices.Contains(indexes, d.parent) {
			concerned = append(concerned, d.index)
		}
	}
	var requests []*nl.NetlinkRequest
	ask := func() *nl.NetlinkRequest {
		r := nl.NewNetlinkRequest(unix.RTM_GETNEIGH, 0)
		r.AddData(&neighbourHeader{family: unix.AF_UNSPEC})
		return r
	}
	err := h.conn.Dump(ask, unix.RTM_NEWNEIGH, func() { requests = nil }, func(b []byte) error {
		n, ok := parseNeighbour(b)
		if ok && n.state&(unix.NUD_INCOMPLETE|unix.NUD_FAILED) != 0 && slices.Contains(concerned, int(n.ifindex)) {
			requests = append(requests, n.deletion())
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list neighbours: %w", err)
	}
	for _, err := range h.conn.Do(requests) {
		if err != nil && !rtnl.Gone(err) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("forget neighbours: %w", err)
		}
	}
	return nil
}

// A neighbour is an entry of the kernel's neighbour table.
type neighbour struct {
	neighbourHeader
	addr netip.Addr
}

// A neighbourHeader is struct ndmsg.
type neighbourHeader struct {
	family  uint8
	ifindex int32
	state   uint16
}

func (m *neighbourHeader) Len() int { return unix.SizeofNdMsg }

func (m *neighbourHeader) Serialize() []byte {
	b := []byte{m.family, 0, 0, 0}
	b = binary.NativeEndian.AppendUint32(b, uint32(m.ifindex))
	b = binary.NativeEndian.AppendUint16(b, m.state)
	return append(b, 0, 0)
}

// parseNeighbour reads an RTM_NEWNEIGH message about an IPv4 or IPv6 address. Bridges
// report entries of another kind.
func parseNeighbour(b []byte) (n neighbour, ok bool) {
	if len(b) < unix.SizeofNdMsg || b[0] != unix.AF_INET && b[0] != unix.AF_INET6 {
		return n, false
	}
	n.family, n.ifindex, n.state = b[0], int32(binary.NativeEndian.Uint32(b[4:])), binary.NativeEndian.Uint16(b[8:])
	rtnl.EachAttribute(b[unix.SizeofNdMsg:], func(kind uint16, value []byte) {
		if kind == unix.NDA_DST {
			n.addr, ok = netip.AddrFromSlice(value)
		}
	})
	return n, ok
}

func (n *neighbour) deletion() *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(unix.RTM_DELNEIGH, 0)
	r.AddData(&neighbourHeader{family: n.family, ifindex: n.ifindex})
	r.AddData(nl.NewRtAttr(unix.NDA_DST, n.addr.AsSlice()))
	return r
}
