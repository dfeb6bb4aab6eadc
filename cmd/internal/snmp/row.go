package snmp

import (
	"net"
	"net/netip"
	"slices"

	"holdfast/cmd/internal/snmp/agentx"
	"holdfast/cmd/internal/status"
)

// A routerKey identifies a row of the MIB's tables.
type routerKey struct {
	IfIndex int
	VRID    uint8
	IPv6    bool
}

// index returns the row's index: ifIndex, vrrpv3OperationsVrId and
// vrrpv3OperationsInetAddrType.
func (r routerKey) index() agentx.OID {
	kind := uint32(ipv4)
	if r.IPv6 {
		kind = ipv6
	}
	return agentx.OID{uint32(r.IfIndex), uint32(r.VRID), kind}
}

// A row is the row of one instance in the tables.
type row struct {
	*status.Instance
	router     routerKey
	advertised []netip.Addr // the addresses in the adverts, sorted
}

// rowsOf returns the rows of a status, sorted by index. An instance whose interface
// never existed has no row.
func rowsOf(s *status.Status) []row {
	rows := make([]row, 0, len(s.VRRP))
	for i := range s.VRRP {
		in := &s.VRRP[i]
		if in.IfIndex > 0 {
			r := routerKey{IfIndex: in.IfIndex, VRID: uint8(in.VRID), IPv6: in.Family == "ipv6"}
			rows = append(rows, row{Instance: in, router: r, advertised: advertised(in)})
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return a.router.index().Compare(b.router.index()) })
	// Two rows have the same index if a new interface got the ifIndex of an interface
	// that is gone.
	return slices.CompactFunc(rows, func(a, b row) bool { return a.router == b.router })
}

func advertised(in *status.Instance) []netip.Addr {
	var list []netip.Addr
	for _, text := range in.Addresses {
		p, err := netip.ParsePrefix(text)
		if err == nil && !slices.Contains(in.Excluded, text) {
			list = append(list, p.Addr())
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}

// master returns the address of the MASTER, or "" if none is known.
func (r *row) master() string {
	switch {
	case r.State == "MASTER":
		return r.Source
	case r.Master != nil:
		return r.Master.Address
	}
	return ""
}

// address returns an InetAddress of the row's type. For an unknown address it
// returns the unspecified address, because the type fixes the length.
func (r *row) address(text string) []byte { return r.router.address(text) }

func (r routerKey) address(text string) []byte {
	if a, err := netip.ParseAddr(text); err == nil && a.Is6() == r.IPv6 {
		return a.AsSlice()
	}
	if r.IPv6 {
		return make([]byte, 16)
	}
	return make([]byte, 4)
}

// mac returns the row's MacAddress. It is all zeros if there is none.
func (r *row) mac() []byte {
	mac, err := net.ParseMAC(r.MAC)
	if err != nil {
		return make([]byte, 6)
	}
	return mac
}

// addressIndex returns the index of an address in vrrpv3AssociatedIpAddrTable: the
// index of its row, the length of the address and the address.
func (r *row) addressIndex(a netip.Addr) agentx.OID {
	b := a.AsSlice()
	index := r.router.index().Append(uint32(len(b)))
	for _, n := range b {
		index = append(index, uint32(n))
	}
	return index
}

// byIndex returns the position of the first index after o in a sorted list. If
// include is set and the list has o, it returns the position of o.
func byIndex(indexes []agentx.OID, o agentx.OID, include bool) int {
	i, found := slices.BinarySearchFunc(indexes, o, agentx.OID.Compare)
	if found && !include {
		i++
	}
	return i
}
