package ipvsadm

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"holdfast/lvs"
)

// defaultPersistence is the timeout of -p without an argument.
const defaultPersistence = 360 * time.Second

// parseKey reads the options that identify a service.
func parseKey(options []option) (lvs.Key, error) {
	var k lvs.Key
	found := 0
	for _, o := range options {
		protocol, ok := map[string]lvs.Protocol{"tcp-service": lvs.TCP, "udp-service": lvs.UDP, "sctp-service": lvs.SCTP}[o.name]
		switch {
		case ok:
			address, err := address(o.args[0], 0)
			if err != nil {
				return k, err
			}
			k.Protocol, k.Address = protocol, address
			found++
		case o.name == "fwmark-service":
			mark, err := strconv.ParseUint(o.args[0], 10, 32)
			if err != nil || mark == 0 {
				return k, fmt.Errorf("%q is not a firewall mark", o.args[0])
			}
			k.Mark = uint32(mark)
			found++
		case o.name == "ipv6":
			k.IPv6 = true
		}
	}
	if found != 1 {
		return k, fmt.Errorf("one of -t, -u, --sctp-service and -f is required")
	}
	return k.Canonical(), nil
}

// parseService reads the options of a service.
func parseService(options []option) (lvs.Service, error) {
	key, err := parseKey(options)
	s := lvs.Service{Key: key, Scheduler: "wlc"}
	if err != nil {
		return s, err
	}
	for _, o := range options {
		if o.name == "scheduler" {
			s.Scheduler = o.args[0]
		}
	}
	for _, o := range options {
		if err := serviceOption(&s, o); err != nil {
			return s, err
		}
	}
	if s.PersistPrefix != 0 && s.Persistence == 0 {
		return s, fmt.Errorf("--netmask needs --persistent")
	}
	return s.Canonical(), nil
}

func serviceOption(s *lvs.Service, o option) (err error) {
	switch o.name {
	case "tcp-service", "udp-service", "sctp-service", "fwmark-service", "ipv6", "numeric", "exact":
	case "scheduler":
		_, err = lvs.ParseScheduler(s.Scheduler)
	case "pe":
		if s.PersistEngine = o.args[0]; s.PersistEngine != "sip" {
			err = fmt.Errorf("the persistence engine %q is not supported: holdfast knows sip", o.args[0])
		}
	case "ops":
		s.Flags |= lvs.FlagOnePacket
	case "persistent":
		s.Persistence = defaultPersistence
		if len(o.args) > 0 {
			var n int
			n, err = number(o.args[0], 31*24*3600)
			s.Persistence = time.Duration(n) * time.Second
		}
	case "netmask":
		s.PersistPrefix, err = maskBits(o.args[0], s.Key.Canonical().IPv6)
	case "sched-flags":
		for name := range strings.SplitSeq(o.args[0], ",") {
			flag, e := lvs.ParseSchedulerFlag(s.Scheduler, name)
			if e != nil {
				return e
			}
			s.Flags |= flag
		}
	default:
		err = fmt.Errorf("--%s does not belong to a service", o.name)
	}
	return err
}

// parseServer reads the options of a server of the service with a key.
func parseServer(key lvs.Key, options []option) (lvs.Server, error) {
	s := lvs.Server{Forward: lvs.DR, Weight: 1}
	found := false
	for _, o := range options {
		if o.name == "real-server" {
			var err error
			if s.Address, err = address(o.args[0], key.Address.Port()); err != nil {
				return s, err
			}
			found = true
			continue
		}
		if err := serverOption(&s, o); err != nil {
			return s, err
		}
	}
	if !found {
		return s, fmt.Errorf("-r is required")
	}
	return s.Canonical(), nil
}

func serverOption(s *lvs.Server, o option) (err error) {
	var n int
	switch o.name {
	case "tcp-service", "udp-service", "sctp-service", "fwmark-service", "ipv6", "numeric", "exact":
	case "gatewaying":
		s.Forward = lvs.DR
	case "ipip":
		s.Forward = lvs.TUN
	case "masquerading":
		s.Forward = lvs.NAT
	case "weight":
		s.Weight, err = number(o.args[0], lvs.MaxWeight)
	case "u-threshold":
		n, err = number(o.args[0], 1<<31-1)
		s.Upper = uint32(n)
	case "l-threshold":
		n, err = number(o.args[0], 1<<31-1)
		s.Lower = uint32(n)
	case "tun-type":
		types := map[string]lvs.TunnelType{"ipip": lvs.IPIP, "gue": lvs.GUE, "gre": lvs.GRE}
		kind, ok := types[o.args[0]]
		if !ok {
			return fmt.Errorf("%q is not a type of tunnel", o.args[0])
		}
		s.Tunnel.Type = kind
	case "tun-port":
		n, err = number(o.args[0], 1<<16-1)
		s.Tunnel.Port = uint16(n)
	case "tun-nocsum":
		s.Tunnel.Checksum, s.Tunnel.RemoteChecksum = false, false
	case "tun-csum":
		s.Tunnel.Checksum, s.Tunnel.RemoteChecksum = true, false
	case "tun-remcsum":
		s.Tunnel.Checksum, s.Tunnel.RemoteChecksum = false, true
	default:
		err = fmt.Errorf("--%s does not belong to a server", o.name)
	}
	return err
}

// address parses "10.0.0.1:80", "[2001:db8::1]:80" or an address without a port.
func address(s string, port uint16) (netip.AddrPort, error) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap, nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(a, port), nil
	}
	return netip.AddrPort{}, fmt.Errorf("%q is not a numeric address with a port: convert the output of `ipvsadm -Sn`, where n is for numbers", s)
}

// number parses a number from 0 to high.
func number(s string, high int) (int, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || n > uint64(high) {
		return 0, fmt.Errorf("%q is not a number from 0 to %d", s, high)
	}
	return int(n), nil
}

// maskBits returns the length of a netmask: dotted for IPv4, a length for IPv6.
func maskBits(s string, ipv6 bool) (int, error) {
	if ipv6 {
		return number(s, 128)
	}
	a, err := netip.ParseAddr(s)
	if err == nil && a.Is4() {
		b := a.As4()
		mask := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		for bits := 1; bits <= 32; bits++ {
			if mask == ^uint32(0)<<(32-bits) {
				return bits, nil
			}
		}
	}
	return 0, fmt.Errorf("%q is not a netmask", s)
}
