package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"holdfast/lvs"
)

// native is the byte order of netlink. Most ports and all addresses are
// big-endian nevertheless.
var native = binary.NativeEndian

var errMalformed = errors.New("malformed answer from the kernel")

// walk calls f for every attribute in b, with its type without flags and its
// value.
func walk(b []byte, f func(kind uint16, value []byte) error) error {
	for len(b) > 0 {
		if len(b) < unix.SizeofRtAttr {
			return fmt.Errorf("%w: %d bytes after the last attribute", errMalformed, len(b))
		}
		length, kind := int(native.Uint16(b)), native.Uint16(b[2:])
		if length < unix.SizeofRtAttr || length > len(b) {
			return fmt.Errorf("%w: attribute %d has a length of %d where %d bytes are left", errMalformed, kind, length, len(b))
		}
		if err := f(kind&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), b[unix.SizeofRtAttr:length]); err != nil {
			return err
		}
		b = b[min((length+unix.RTA_ALIGNTO-1)&^(unix.RTA_ALIGNTO-1), len(b)):]
	}
	return nil
}

// nest returns the value of an attribute of a message that starts with the
// generic netlink header.
func nest(message []byte, kind uint16) ([]byte, error) {
	if len(message) < headerLen {
		return nil, fmt.Errorf("%w: %d bytes", errMalformed, len(message))
	}
	var found []byte
	err := walk(message[headerLen:], func(k uint16, value []byte) error {
		if k == kind {
			found = value
		}
		return nil
	})
	if err == nil && found == nil {
		err = fmt.Errorf("%w: attribute %d is missing", errMalformed, kind)
	}
	return found, err
}

// integer returns the value of an unsigned attribute of any width, because widths
// differ between kernels.
func integer(value []byte) (uint64, error) {
	switch len(value) {
	case 1:
		return uint64(value[0]), nil
	case 2:
		return uint64(native.Uint16(value)), nil
	case 4:
		return uint64(native.Uint32(value)), nil
	case 8:
		return native.Uint64(value), nil
	}
	return 0, fmt.Errorf("%w: an integer of %d bytes", errMalformed, len(value))
}

func text(value []byte) string {
	s, _, _ := strings.Cut(string(value), "\x00")
	return s
}

// address returns the address in a union nf_inet_addr, whose first four bytes are
// an IPv4 address.
func address(value []byte, v6 bool) (netip.Addr, error) {
	n := 4
	if v6 {
		n = 16
	}
	if len(value) < n {
		return netip.Addr{}, fmt.Errorf("%w: an address of %d bytes", errMalformed, len(value))
	}
	a, _ := netip.AddrFromSlice(value[:n])
	return a, nil
}

// union returns a as a union nf_inet_addr of 16 bytes.
func union(a netip.Addr) []byte {
	b := make([]byte, 16)
	copy(b, a.AsSlice())
	return b
}

func family(v6 bool) uint16 {
	if v6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

func nested(kind int) *nl.RtAttr { return nl.NewRtAttr(kind|unix.NLA_F_NESTED, nil) }

// encodeKey returns the attribute that identifies a service.
func encodeKey(k lvs.Key) *nl.RtAttr {
	a := nested(attrService)
	a.AddRtAttr(svcFamily, nl.Uint16Attr(family(k.IPv6)))
	if k.Mark != 0 {
		a.AddRtAttr(svcMark, nl.Uint32Attr(k.Mark))
		return a
	}
	a.AddRtAttr(svcProtocol, nl.Uint16Attr(uint16(k.Protocol)))
	a.AddRtAttr(svcAddress, union(k.Address.Addr()))
	a.AddRtAttr(svcPort, nl.BEUint16Attr(k.Address.Port()))
	return a
}

// encodeService returns the attribute of a service with all parameters. The kernel
// takes those that a change leaves out for those of a new service.
func encodeService(s lvs.Service) *nl.RtAttr {
	a := encodeKey(s.Key)
	a.AddRtAttr(svcScheduler, nl.ZeroTerminated(s.Scheduler))
	if s.PersistEngine != "" {
		a.AddRtAttr(svcEngine, nl.ZeroTerminated(s.PersistEngine))
	}
	flags := native.AppendUint32(nil, uint32(s.Flags))
	a.AddRtAttr(svcFlags, native.AppendUint32(flags, ^uint32(0))) // struct ip_vs_flags: all flags are given
	a.AddRtAttr(svcTimeout, nl.Uint32Attr(uint32(s.Persistence/time.Second)))
	a.AddRtAttr(svcNetmask, netmask(s.PersistPrefix, s.Key.IPv6))
	return a
}

// netmask is the inverse of prefix.
func netmask(length int, v6 bool) []byte {
	if v6 {
		return nl.Uint32Attr(uint32(length))
	}
	return binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-length))
}

// encodeServer returns the attribute of a server, with all parameters or only with
// its address, which is enough to delete it. Both include the address family:
// without it the kernel assumes the family of the service.
func encodeServer(s lvs.Server, whole bool) *nl.RtAttr {
	a := nested(attrDest)
	a.AddRtAttr(destAddress, union(s.Address.Addr()))
	a.AddRtAttr(destPort, nl.BEUint16Attr(s.Address.Port()))
	a.AddRtAttr(destFamily, nl.Uint16Attr(family(s.Address.Addr().Is6())))
	if !whole {
		return a
	}
	a.AddRtAttr(destForward, nl.Uint32Attr(uint32(s.Forward)))
	a.AddRtAttr(destWeight, nl.Uint32Attr(uint32(s.Weight)))
	a.AddRtAttr(destUpper, nl.Uint32Attr(s.Upper))
	a.AddRtAttr(destLower, nl.Uint32Attr(s.Lower))
	if s.Tunnel == (lvs.Tunnel{}) {
		return a // kernels before 5.2 do not know the attributes below
	}
	var flags uint16
	switch {
	case s.Tunnel.RemoteChecksum:
		flags = tunnelRemoteOffload
	case s.Tunnel.Checksum:
		flags = tunnelChecksum
	}
	a.AddRtAttr(destTunnelType, nl.Uint8Attr(uint8(s.Tunnel.Type)))
	a.AddRtAttr(destTunnelPort, nl.BEUint16Attr(s.Tunnel.Port))
	a.AddRtAttr(destTunnelFlags, nl.Uint16Attr(flags))
	return a
}

// encodeDaemon returns the attribute of a sync daemon, with all parameters or only
// with its role, which is enough to stop it.
func encodeDaemon(d lvs.SyncDaemon, whole bool) *nl.RtAttr {
	a := nested(attrDaemon)
	a.AddRtAttr(daemonState, nl.Uint32Attr(uint32(d.Role)))
	if !whole {
		return a
	}
	a.AddRtAttr(daemonInterface, nl.ZeroTerminated(d.Interface))
	a.AddRtAttr(daemonID, nl.Uint32Attr(uint32(d.ID)))
	if d.MaxLen != 0 {
		a.AddRtAttr(daemonMaxLen, nl.Uint16Attr(d.MaxLen))
	}
	if d.Group.Is4() {
		a.AddRtAttr(daemonGroup, d.Group.AsSlice())
	} else {
		a.AddRtAttr(daemonGroup6, d.Group.AsSlice())
	}
	a.AddRtAttr(daemonPort, nl.Uint16Attr(d.Port)) // in host byte order, unlike every other port
	a.AddRtAttr(daemonTTL, nl.Uint8Attr(d.TTL))
	return a
}

// encodeTimeouts returns the attributes of the connection timeouts.
func encodeTimeouts(t lvs.Timeouts) []*nl.RtAttr {
	seconds := func(kind int, d time.Duration) *nl.RtAttr {
		return nl.NewRtAttr(kind, nl.Uint32Attr(uint32(d/time.Second)))
	}
	return []*nl.RtAttr{seconds(attrTimeoutTCP, t.TCP), seconds(attrTimeoutTCPFin, t.TCPFin), seconds(attrTimeoutUDP, t.UDP)}
}

// decodeTimeouts decodes the connection timeouts.
func decodeTimeouts(b []byte) (lvs.Timeouts, error) {
	var t lvs.Timeouts
	err := walk(b, func(kind uint16, v []byte) error {
		n, err := integer(v)
		switch d := time.Duration(n) * time.Second; kind {
		case attrTimeoutTCP:
			t.TCP = d
		case attrTimeoutTCPFin:
			t.TCPFin = d
		case attrTimeoutUDP:
			t.UDP = d
		}
		return err
	})
	return t, err
}

// decodeService decodes a service and its counters.
func decodeService(b []byte) (lvs.Usage, error) {
	var (
		u             lvs.Usage
		s             = &u.Service
		rawAddr, mask []byte
		port          uint16
		seconds       uint64
	)
	err := walk(b, func(kind uint16, v []byte) (err error) {
		var n uint64
		switch kind {
		case svcFamily:
			n, err = integer(v)
			s.Key.IPv6 = n == unix.AF_INET6
		case svcProtocol:
			n, err = integer(v)
			s.Key.Protocol = lvs.Protocol(n)
		case svcAddress:
			rawAddr = v
		case svcPort:
			port, err = bigEndian16(v)
		case svcMark:
			n, err = integer(v)
			s.Key.Mark = uint32(n)
		case svcScheduler:
			s.Scheduler = text(v)
		case svcFlags: // struct ip_vs_flags: the flags, followed by a mask
			n, err = integer(v[:min(4, len(v))])
			s.Flags = lvs.Flags(n)
		case svcTimeout:
			seconds, err = integer(v)
		case svcNetmask:
			mask = v
		case svcEngine:
			s.PersistEngine = text(v)
		case svcStats64:
			u.Counters, err = decodeStats(v)
		}
		return err
	})
	if err != nil {
		return u, err
	}
	if s.Flags&lvs.FlagPersistent != 0 {
		s.Persistence = time.Duration(seconds) * time.Second
	}
	if s.Key.Mark == 0 {
		a, err := address(rawAddr, s.Key.IPv6)
		if err != nil {
			return u, err
		}
		s.Key.Address = netip.AddrPortFrom(a, port)
	}
	s.PersistPrefix, err = prefix(mask, s.Key.IPv6)
	u.Service = s.Canonical()
	return u, err
}

// prefix returns the prefix length for the netmask attribute of a service: an IPv4
// netmask in network byte order, or the length of an IPv6 prefix in host byte
// order.
func prefix(mask []byte, v6 bool) (int, error) {
	if len(mask) != 4 {
		return 0, fmt.Errorf("%w: a netmask of %d bytes", errMalformed, len(mask))
	}
	if v6 {
		return int(native.Uint32(mask)), nil
	}
	m := binary.BigEndian.Uint32(mask)
	length := 0
	for ; m&(1<<31) != 0; m <<= 1 {
		length++
	}
	return length, nil
}

// decodeServer decodes a server with its counters. Without a family of its own the
// server has the service's.
func decodeServer(b []byte, serviceV6 bool) (lvs.ServerUsage, error) {
	var (
		u       lvs.ServerUsage
		s       = &u.Server
		v6      = serviceV6
		rawAddr []byte
		port    uint16
	)
	err := walk(b, func(kind uint16, v []byte) (err error) {
		var n uint64
		switch kind {
		case destAddress:
			rawAddr = v
		case destPort:
			port, err = bigEndian16(v)
		case destFamily:
			n, err = integer(v)
			v6 = n == unix.AF_INET6
		case destTunnelPort:
			s.Tunnel.Port, err = bigEndian16(v)
		case destStats64:
			u.Counters, err = decodeStats(v)
		case destForward, destWeight, destUpper, destLower, destActive, destInactive, destPersistent, destTunnelType, destTunnelFlags:
			n, err = integer(v)
			setServer(&u, kind, n)
		}
		return err
	})
	if err != nil {
		return u, err
	}
	a, err := address(rawAddr, v6)
	s.Address = netip.AddrPortFrom(a, port)
	u.Server = s.Canonical()
	return u, err
}

func setServer(u *lvs.ServerUsage, kind uint16, n uint64) {
	switch kind {
	case destForward:
		u.Server.Forward = lvs.Forward(n & forwardMask)
	case destWeight:
		u.Server.Weight = int(int32(n))
	case destUpper:
		u.Server.Upper = uint32(n)
	case destLower:
		u.Server.Lower = uint32(n)
	case destActive:
		u.Active = uint32(n)
	case destInactive:
		u.Inactive = uint32(n)
	case destPersistent:
		u.Persistent = uint32(n)
	case destTunnelType:
		u.Server.Tunnel.Type = lvs.TunnelType(n)
	case destTunnelFlags:
		u.Server.Tunnel.Checksum = n&tunnelChecksum != 0
		u.Server.Tunnel.RemoteChecksum = n&tunnelRemoteOffload != 0
	}
}

// decodeStats decodes 64-bit counters. The attributes IPVS_STATS_ATTR_* have the
// numbers 1 to 10, in the order of fields.
func decodeStats(b []byte) (lvs.Counters, error) {
	c := lvs.Counters{Rates: new(lvs.Rates)}
	fields := [...]*uint64{
		&c.Connections, &c.PacketsIn, &c.PacketsOut, &c.BytesIn, &c.BytesOut,
		&c.ConnectionRate, &c.PacketInRate, &c.PacketOutRate, &c.ByteInRate, &c.ByteOutRate,
	}
	err := walk(b, func(kind uint16, v []byte) error {
		if kind < 1 || int(kind) > len(fields) {
			return nil // padding (IPVS_STATS_ATTR_PAD)
		}
		n, err := integer(v)
		*fields[kind-1] = n
		return err
	})
	return c, err
}

// decodeDaemon decodes a sync daemon.
func decodeDaemon(b []byte) (lvs.SyncDaemon, error) {
	var d lvs.SyncDaemon
	err := walk(b, func(kind uint16, v []byte) (err error) {
		var n uint64
		switch kind {
		case daemonState:
			n, err = integer(v)
			d.Role = lvs.SyncRole(n)
		case daemonInterface:
			d.Interface = text(v)
		case daemonID:
			n, err = integer(v)
			d.ID = uint8(n)
		case daemonMaxLen:
			n, err = integer(v)
			d.MaxLen = uint16(n)
		case daemonGroup:
			d.Group, err = address(v, false)
		case daemonGroup6:
			d.Group, err = address(v, true)
		case daemonPort:
			n, err = integer(v)
			d.Port = uint16(n)
		case daemonTTL:
			n, err = integer(v)
			d.TTL = uint8(n)
		}
		return err
	})
	return d, err
}

func bigEndian16(v []byte) (uint16, error) {
	if len(v) != 2 {
		return 0, fmt.Errorf("%w: a port of %d bytes", errMalformed, len(v))
	}
	return binary.BigEndian.Uint16(v), nil
}
