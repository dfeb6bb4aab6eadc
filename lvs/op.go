package lvs

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// A Verb is a kind of change.
type Verb uint8

// The verbs. They are ipvsadm's -A, -E and -D for services, -a, -e and -d for
// servers.
const (
	AddService Verb = iota
	EditService
	DeleteService
	AddServer
	EditServer
	DeleteServer
)

// String returns the verb in words, like "add service".
func (v Verb) String() string {
	return [...]string{"add service", "edit service", "delete service", "add server", "edit server", "delete server"}[v]
}

// Server reports whether the verb is about a server rather than a service.
func (v Verb) Server() bool { return v >= AddServer }

// An Op is one change of the kernel's table.
type Op struct {
	Verb Verb
	// Service is complete with every verb: as it will be in the kernel, or as it
	// is there if it is to be deleted.
	Service Service
	Server  Server // with the verbs for servers; complete unless it is to be deleted
}

// String returns the ipvsadm command for the same change.
func (o Op) String() string {
	args := []string{"ipvsadm", [...]string{"-A", "-E", "-D", "-a", "-e", "-d"}[o.Verb]}
	args = append(args, o.Service.Key.args()...)
	switch o.Verb {
	case AddService, EditService:
		args = append(args, o.Service.args()...)
	case AddServer, EditServer:
		args = append(args, "-r", o.Server.Address.String())
		args = append(args, o.Server.args()...)
	case DeleteServer:
		args = append(args, "-r", o.Server.Address.String())
	}
	return strings.Join(args, " ")
}

func (k Key) args() []string {
	switch {
	case k.Mark != 0 && k.IPv6:
		return []string{"-f", strconv.FormatUint(uint64(k.Mark), 10), "-6"}
	case k.Mark != 0:
		return []string{"-f", strconv.FormatUint(uint64(k.Mark), 10)}
	case k.Protocol == UDP:
		return []string{"-u", k.Address.String()}
	case k.Protocol == SCTP:
		return []string{"--sctp-service", k.Address.String()}
	}
	return []string{"-t", k.Address.String()}
}

func (s Service) args() []string {
	s = s.Canonical()
	args := []string{"-s", s.Scheduler}
	if s.Persistence > 0 {
		args = append(args, "-p", strconv.Itoa(int(s.Persistence.Seconds())))
	}
	if s.PersistPrefix != s.Key.bits() {
		args = append(args, "-M", s.mask())
	}
	if s.PersistEngine != "" {
		args = append(args, "--pe", s.PersistEngine)
	}
	if s.Flags&FlagOnePacket != 0 {
		args = append(args, "-o")
	}
	if names := flagNames(s.Scheduler, s.Flags); len(names) > 0 {
		args = append(args, "-b", strings.Join(names, ","))
	}
	return args
}

// mask returns the persistence prefix as ipvsadm -M takes it: as a netmask for
// IPv4, as a length for IPv6.
func (s Service) mask() string {
	if s.Key.Canonical().IPv6 {
		return strconv.Itoa(s.PersistPrefix)
	}
	m := ^uint32(0) << (32 - s.PersistPrefix)
	return netip.AddrFrom4([4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}).String()
}

func (s Server) args() []string {
	s = s.Canonical()
	var args []string
	switch s.Forward {
	case NAT:
		args = append(args, "-m")
	case DR:
		args = append(args, "-g")
	case TUN:
		args = append(args, "-i")
	default:
		args = append(args, fmt.Sprintf("(%v)", s.Forward))
	}
	args = append(args, "-w", strconv.Itoa(s.Weight))
	if s.Upper > 0 {
		args = append(args, "-x", strconv.FormatUint(uint64(s.Upper), 10))
	}
	if s.Lower > 0 {
		args = append(args, "-y", strconv.FormatUint(uint64(s.Lower), 10))
	}
	return append(args, s.Tunnel.args()...)
}

func (t Tunnel) args() []string {
	if t.Type == IPIP {
		return nil
	}
	args := []string{"--tun-type", t.Type.String()}
	if t.Type == GUE {
		args = append(args, "--tun-port", strconv.Itoa(int(t.Port)))
	}
	switch {
	case t.RemoteChecksum:
		args = append(args, "--tun-remcsum")
	case t.Checksum:
		args = append(args, "--tun-csum")
	}
	return args
}
