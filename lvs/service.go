package lvs

import (
	"fmt"
	"net/netip"
	"time"
)

// A Protocol is the transport of a virtual service. The values are IP
// protocol numbers.
type Protocol uint8

// The protocols IPVS can balance. A fwmark service has none.
const (
	ProtocolNone Protocol = 0
	TCP          Protocol = 6
	UDP          Protocol = 17
	SCTP         Protocol = 132
)

// A Forward is a packet forwarding method. The values are the kernel's
// (include/uapi/linux/ip_vs.h, IP_VS_CONN_F_*).
type Forward uint8

// The forwarding methods.
const (
	NAT Forward = 0 // masquerading: both directions pass the director
	TUN Forward = 2 // IP in IP to another network
	DR  Forward = 3 // direct routing: same wire, answers go straight to the client
)

// A Key names a virtual service in the kernel: protocol, address and port, or
// a firewall mark and a family. It is comparable.
type Key struct {
	Protocol Protocol
	Address  netip.AddrPort // port 0 takes every port and needs persistence
	Mark     uint32         // not 0: a fwmark service; Protocol and Address are zero
	IPv6     bool           // family of a fwmark service; derived for the others
}

// A Service is a virtual service as the kernel holds it, without its servers.
type Service struct {
	Key       Key
	Scheduler string // rr, wrr, lc, wlc, ... the kernel's module name
	// Flags are the scheduler and service flags (IP_VS_SVC_F_*) that a user can choose.
	Flags       Flags
	Persistence time.Duration // 0: none; whole seconds
	// PersistPrefix is the prefix length by which clients are kept together:
	// 32 (IPv4) or 128 (IPv6) is one client alone.
	PersistPrefix int
	PersistEngine string // "" or "sip"
}

// Flags of a virtual service.
type Flags uint32

// The flags (include/uapi/linux/ip_vs.h). The first scheduler flags mean
// sh-fallback and sh-port, or mh-fallback and mh-port.
const (
	FlagPersistent Flags = 0x1
	FlagHashed     Flags = 0x2 // the kernel's own; never compared
	FlagOnePacket  Flags = 0x4
	FlagSched1     Flags = 0x8
	FlagSched2     Flags = 0x10
	FlagSched3     Flags = 0x20
)

// A Server is a realserver (destination) of a virtual service as the kernel
// holds it. Address is its key within the service.
type Server struct {
	Address netip.AddrPort
	Forward Forward
	Weight  int    // 0 (no new connections) to 65535
	Upper   uint32 // no new connections above this many; 0 is no limit
	Lower   uint32 // new connections again below this many
	Tunnel  Tunnel // with Forward TUN only
}

// Tunnel says how packets are wrapped for a TUN server.
type Tunnel struct {
	Type     TunnelType
	Port     uint16 // GUE only
	Checksum bool   // outer checksum, GUE and GRE
}

// A TunnelType is an encapsulation; the values are the kernel's (IP_VS_CONN_F_TUNNEL_TYPE_*).
type TunnelType uint8

// The encapsulations.
const (
	IPIP TunnelType = 0
	GUE  TunnelType = 1
	GRE  TunnelType = 2
)

// String returns "nat", "dr" or "tun".
func (f Forward) String() string {
	switch f {
	case NAT:
		return "nat"
	case DR:
		return "dr"
	case TUN:
		return "tun"
	}
	return fmt.Sprintf("forward(%d)", uint8(f))
}

// String returns "tcp", "udp", "sctp" or "".
func (p Protocol) String() string {
	switch p {
	case ProtocolNone:
		return ""
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case SCTP:
		return "sctp"
	}
	return fmt.Sprintf("protocol(%d)", uint8(p))
}
