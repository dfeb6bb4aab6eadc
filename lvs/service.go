package lvs

import (
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
// a firewall mark and a family. It is comparable; two keys of one service are
// equal when both are canonical (see [Key.Canonical]).
type Key struct {
	Protocol Protocol
	Address  netip.AddrPort // port 0 takes every port and needs persistence
	Mark     uint32         // not 0: a fwmark service; Protocol and Address are zero
	IPv6     bool           // family of a fwmark service; derived for the others
}

// Canonical returns k as the kernel would tell it: family derived, an
// IPv4-mapped address as IPv4, and nothing but mark and family for a fwmark
// service.
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
	Scheduler string // rr, wrr, lc, wlc, ... the kernel's module name
	// Flags are the scheduler and service flags (IP_VS_SVC_F_*) that a user can choose.
	Flags       Flags
	Persistence time.Duration // 0: none; whole seconds
	// PersistPrefix is the prefix length by which clients are kept together:
	// 32 (IPv4) or 128 (IPv6) is one client alone, and so is 0.
	PersistPrefix int
	PersistEngine string // "" or "sip"
}

// Canonical returns s in the one form in which equal services compare equal:
// a canonical key, FlagPersistent exactly when there is a persistence timeout,
// no FlagHashed, and a prefix that means something.
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

// bits is the length of an address of the service's family.
func (k Key) bits() int {
	if k.Canonical().IPv6 {
		return 128
	}
	return 32
}

// Flags of a virtual service.
type Flags uint32

// The flags (include/uapi/linux/ip_vs.h). The first scheduler flags mean
// sh-fallback and sh-port, or mh-fallback and mh-port.
const (
	FlagPersistent Flags = 0x1 // follows Service.Persistence, see Canonical
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
	Weight  int    // 0 (no new connections) to MaxWeight
	Upper   uint32 // no new connections above this many; 0 is no limit
	Lower   uint32 // new connections again below this many
	Tunnel  Tunnel // with Forward TUN only
}

// MaxWeight is the largest weight that every reader of the table shows right:
// the kernel takes 31 bits, but several tools read 16.
const MaxWeight = 65535

// Canonical returns s in the one form in which equal servers compare equal: an
// IPv4-mapped address as IPv4, and no tunnel setting that has no effect.
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

// Tunnel says how packets are wrapped for a TUN server.
type Tunnel struct {
	Type           TunnelType
	Port           uint16 // GUE only
	Checksum       bool   // outer checksum, GUE and GRE
	RemoteChecksum bool   // remote checksum offload, GUE only
}

// A TunnelType is an encapsulation; the values are the kernel's (IP_VS_CONN_F_TUNNEL_TYPE_*).
type TunnelType uint8

// The encapsulations.
const (
	IPIP TunnelType = 0
	GUE  TunnelType = 1
	GRE  TunnelType = 2
)

// Wanted is one virtual service and its servers: a piece of what the kernel
// should hold, or of what it holds.
type Wanted struct {
	Service Service
	Servers []Server // in the order of their addresses, each address once
}

// Timeouts say after how long the kernel forgets idle connections; whole
// seconds, and a zero is as it was.
type Timeouts struct {
	TCP    time.Duration // established
	TCPFin time.Duration // after a FIN
	UDP    time.Duration
}
