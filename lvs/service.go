package lvs

import (
	"net/netip"
	"time"
)

// A Protocol is the transport protocol of a virtual service. The values are IP
// protocol numbers.
type Protocol uint8

// The protocols that IPVS can balance. A fwmark service has ProtocolNone.
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
	NAT Forward = 0 // masquerading: requests and answers pass through the director
	TUN Forward = 2 // requests are sent in a tunnel, answers go directly to the client
	DR  Forward = 3 // direct routing: like TUN, but to a server on the same link without a tunnel
)

// A Key identifies a virtual service in the kernel: by protocol, address and
// port, or by a firewall mark and an address family. Two canonical keys of one
// service are equal (see [Key.Canonical]).
type Key struct {
	Protocol Protocol
	Address  netip.AddrPort // port 0 is every port, with persistence only
	Mark     uint32         // a firewall mark, with Protocol and Address zero; 0 is none
	IPv6     bool           // the family; Canonical derives it from Address without a mark
}

// Canonical returns k as the kernel reports it: IPv6 says the family of Address,
// an IPv4-mapped address is IPv4, and a fwmark service has only mark and family.
func (k Key) Canonical() Key {
	if k.Mark != 0 {
		return Key{Mark: k.Mark, IPv6: k.IPv6}
	}
	k.Address = netip.AddrPortFrom(k.Address.Addr().Unmap(), k.Address.Port())
	k.IPv6 = k.Address.Addr().Is6()
	return k
}

// A Service is a virtual service as the kernel holds it, without its servers.
type Service struct {
	Key       Key
	Scheduler string // the kernel's name: rr, wrr, lc, wlc, ...
	// Flags are the service and scheduler flags that a user can choose
	// (IP_VS_SVC_F_*).
	Flags       Flags
	Persistence time.Duration // whole seconds; 0 is none
	// PersistPrefix is the prefix length of the clients that go to one server
	// together. 0 is the length of an address, 32 or 128: each client by itself.
	PersistPrefix int
	PersistEngine string // "" or "sip"
}

// Canonical returns s in the form in which equal services compare equal: with a
// canonical key, with FlagPersistent exactly if there is a persistence timeout,
// without FlagHashed, and with the prefix length that applies.
func (s Service) Canonical() Service {
	s.Key = s.Key.Canonical()
	s.Flags &^= FlagHashed | FlagPersistent
	if s.Persistence > 0 {
		s.Flags |= FlagPersistent
	}
	if s.PersistPrefix == 0 || s.Persistence == 0 {
		s.PersistPrefix = s.Key.bits()
	}
	return s
}

// bits returns the length in bits of an address of the key's family.
func (k Key) bits() int {
	if k.Canonical().IPv6 {
		return 128
	}
	return 32
}

// Flags of a virtual service.
type Flags uint32

// The flags (include/uapi/linux/ip_vs.h). The scheduler defines what FlagSched1
// and the others mean: with sh and mh, FlagSched1 is sh-fallback or mh-fallback
// and FlagSched2 is sh-port or mh-port.
const (
	FlagPersistent Flags = 0x1 // Canonical sets it according to Service.Persistence
	FlagHashed     Flags = 0x2 // internal to the kernel; Canonical removes it
	FlagOnePacket  Flags = 0x4 // each packet is scheduled by itself
	FlagSched1     Flags = 0x8
	FlagSched2     Flags = 0x10
	FlagSched3     Flags = 0x20
)

// A Server is a realserver of a virtual service as the kernel holds it (the
// kernel calls it a destination). Address identifies it within the service.
type Server struct {
	Address netip.AddrPort
	Forward Forward
	Weight  int    // 0 to MaxWeight; 0 is no new connections
	Upper   uint32 // with this many connections the server gets no new ones; 0 is no limit
	Lower   uint32 // below this many it gets new ones again; 0 is three quarters of Upper
	Tunnel  Tunnel // with Forward TUN only
}

// MaxWeight is the largest weight, because the kernel refuses negative ones
// (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_add_dest).
const MaxWeight = 1<<31 - 1

// Canonical returns s in the form in which equal servers compare equal: an
// IPv4-mapped address is IPv4, and tunnel settings without effect are zero.
func (s Server) Canonical() Server {
	s.Address = netip.AddrPortFrom(s.Address.Addr().Unmap(), s.Address.Port())
	switch {
	case s.Forward != TUN || s.Tunnel.Type == IPIP:
		s.Tunnel = Tunnel{}
	case s.Tunnel.Type != GUE:
		s.Tunnel.Port = 0
		s.Tunnel.RemoteChecksum = false
	}
	return s
}

// A Tunnel says how packets to a TUN server are encapsulated.
type Tunnel struct {
	Type           TunnelType
	Port           uint16 // UDP port, with GUE only
	Checksum       bool   // checksum of the outer header, with GUE and GRE
	RemoteChecksum bool   // remote checksum offload, with GUE only
}

// A TunnelType is an encapsulation. The values are the kernel's
// (IP_VS_CONN_F_TUNNEL_TYPE_*).
type TunnelType uint8

// The encapsulations.
const (
	IPIP TunnelType = 0
	GUE  TunnelType = 1
	GRE  TunnelType = 2
)

// Wanted is one virtual service with its servers, either as the kernel should
// hold it or as the kernel holds it.
type Wanted struct {
	Service Service
	Servers []Server // sorted by address, each address once
}

// Timeouts say after how much idle time the kernel forgets a connection, in whole
// seconds. To set 0 leaves a timeout unchanged.
type Timeouts struct {
	TCP    time.Duration // an established connection
	TCPFin time.Duration // a connection after a FIN
	UDP    time.Duration
}
