package lvs

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// MaxPersistence bounds a persistence timeout, as ipvsadm does.
const MaxPersistence = 31 * 24 * time.Hour

// A FieldError is one fault of a configuration, with the key that it is about
// as the configuration file spells it.
type FieldError struct {
	Server  int    // index into ServiceConfig.Servers of the server it is about, or -1
	Name    string // that server's name
	Key     string
	Problem string
}

// Error returns "key: problem" or "server NAME: key: problem".
func (e *FieldError) Error() string {
	if e.Server < 0 {
		return e.Key + ": " + e.Problem
	}
	return "server " + e.Name + ": " + e.Key + ": " + e.Problem
}

// faults collects field errors.
type faults struct {
	errs   []error
	server int
	name   string
}

func (f *faults) bad(key, format string, args ...any) {
	f.errs = append(f.errs, &FieldError{Server: f.server, Name: f.name, Key: key, Problem: fmt.Sprintf(format, args...)})
}

// Validate returns every way in which c cannot work, joined; each is a
// *FieldError. What the kernel refuses, or takes and then does not heed, is a
// fault.
func (c *ServiceConfig) Validate() error {
	f := faults{server: -1}
	if c.Name == "" {
		f.bad("name", "is needed")
	}
	c.Service.validate(&f)
	if c.Active == ActiveMaster && c.Follow == "" {
		f.bad("follow", "active = \"master\" needs the name of a group or instance to follow")
	}
	if c.Fallback != (netip.AddrPort{}) {
		c.validateFallback(&f)
	}
	names := make(map[string]bool, len(c.Servers))
	addresses := make(map[netip.AddrPort]bool, len(c.Servers))
	for i := range c.Servers {
		s := &c.Servers[i]
		f.server, f.name = i, s.name()
		c.Service.validateServer(&f, s.Server)
		address := s.Server.Canonical().Address
		if addresses[address] {
			f.bad("address", "%v is listed twice", address)
		}
		if names[s.name()] && s.Name != "" {
			f.bad("name", "is given twice")
		}
		names[s.name()], addresses[address] = true, true
	}
	return errors.Join(f.errs...)
}

func (s *Service) validate(f *faults) {
	k := s.Key
	switch {
	case k.Mark != 0 && (k.Protocol != ProtocolNone || k.Address != netip.AddrPort{}):
		f.bad("mark", "a service has a mark, or a protocol and an address, not both")
	case k.Mark != 0:
	case !k.Address.Addr().IsValid():
		f.bad("address", "is needed, or a mark")
	case k.Address.Addr().Zone() != "":
		f.bad("address", "%v must not name an interface", k.Address.Addr())
	case k.Protocol != TCP && k.Protocol != UDP && k.Protocol != SCTP:
		f.bad("protocol", "must be tcp, udp or sctp")
	case k.Address.Port() == 0 && s.Persistence == 0:
		// net/netfilter/ipvs/ip_vs_core.c, ip_vs_schedule: "port zero only
		// supported in persistent services".
		f.bad("address", "port 0 (every port) needs persistence")
	}
	if !slices.Contains(schedulers, s.Scheduler) {
		f.bad("scheduler", "%q is none of %v", s.Scheduler, schedulers)
	}
	if s.Persistence < 0 || s.Persistence > MaxPersistence || s.Persistence%time.Second != 0 {
		f.bad("persistence", "must be whole seconds up to %v, not %v", MaxPersistence, s.Persistence)
	}
	if s.PersistPrefix < 0 || s.PersistPrefix > k.bits() {
		f.bad("persistence_prefix", "must be 1 to %d, not %d", k.bits(), s.PersistPrefix)
	}
	if s.PersistEngine != "" && s.PersistEngine != "sip" {
		f.bad("persistence_engine", "must be sip, not %q", s.PersistEngine)
	}
	if s.PersistEngine != "" && s.Persistence == 0 {
		f.bad("persistence_engine", "has no effect without persistence")
	}
	if s.Flags&FlagOnePacket != 0 && k.Mark == 0 && k.Protocol != UDP {
		f.bad("one_packet", "is for udp services")
	}
}

func (s *Service) validateServer(f *faults, r Server) {
	if validAddress(f, "address", r.Address) {
		s.validateForward(f, "address", "forward", r)
	}
	if r.Weight < 0 || r.Weight > MaxWeight {
		f.bad("weight", "must be 0 to %d, not %d", MaxWeight, r.Weight)
	}
	if r.Lower > r.Upper {
		f.bad("lower_threshold", "%d is above the upper threshold %d", r.Lower, r.Upper)
	}
	t := r.Tunnel
	switch {
	case t != Tunnel{} && r.Forward != TUN:
		f.bad("tunnel", "has no effect with forward %v", r.Forward)
	case t.Type > GRE:
		f.bad("tunnel", "unknown type %v", t.Type)
	case t.Type == GUE && t.Port == 0:
		f.bad("tunnel_port", "is needed with gue")
	case t.Type != GUE && t.Port != 0:
		f.bad("tunnel_port", "has no effect with %v", t.Type)
	case t.Type == IPIP && t.Checksum:
		f.bad("tunnel_checksum", "has no effect with ipip")
	case t.Type != GUE && t.RemoteChecksum:
		f.bad("tunnel_checksum", "remote checksum is for gue")
	}
}

func (c *ServiceConfig) validateFallback(f *faults) {
	if !validAddress(f, "fallback", c.Fallback) {
		return
	}
	fallback := c.fallback()
	c.Service.validateForward(f, "fallback", "fallback_forward", fallback)
	for i := range c.Servers {
		if c.Servers[i].Server.Canonical().Address == fallback.Address {
			f.bad("fallback", "%v is one of the servers", c.Fallback)
		}
	}
}

func validAddress(f *faults, key string, a netip.AddrPort) bool {
	switch {
	case !a.Addr().IsValid():
		f.bad(key, "is needed")
	case a.Addr().Zone() != "":
		f.bad(key, "%v must not name an interface", a.Addr())
	case a.Addr().IsUnspecified() || a.Addr().IsMulticast():
		f.bad(key, "%v is no host's address", a.Addr())
	default:
		return true
	}
	return false
}

// validateForward checks the address of a server of s against its forwarding
// method: what the kernel refuses (another family without a tunnel,
// ip_vs_genl_set_cmd) and what it cannot do (translate ports without NAT).
func (s *Service) validateForward(f *faults, addressKey, forwardKey string, r Server) {
	r = r.Canonical()
	k := s.Key.Canonical()
	switch r.Forward {
	case NAT, DR, TUN:
	default:
		f.bad(forwardKey, "must be nat, dr or tun")
		return
	}
	known := k.Mark != 0 || k.Address.IsValid()
	if known && r.Address.Addr().Is6() != k.IPv6 && r.Forward != TUN {
		f.bad(addressKey, "%v is of another family than the service: only tun can cross", r.Address.Addr())
	}
	if r.Forward == NAT && r.Address.Addr().IsLoopback() {
		// net/netfilter/ipvs/ip_vs_xmit.c, "stopping DNAT to loopback address"
		f.bad(addressKey, "the kernel does not translate to a loopback address, %v: give one of the director's own", r.Address.Addr())
	}
	if known && r.Forward != NAT && k.Mark == 0 && r.Address.Port() != k.Address.Port() {
		f.bad(addressKey, "%v keeps the port of the service, %d: %d cannot be reached", r.Forward, k.Address.Port(), r.Address.Port())
	}
}

// fallback returns the fallback server as the kernel gets it.
func (c *ServiceConfig) fallback() Server {
	return Server{Address: c.Fallback, Forward: c.FallbackForward, Weight: 1}.Canonical()
}

// MixedFamilies reports whether a server (or the fallback) is of another
// family than the service. The kernel refuses such a server while a sync daemon
// runs, and a sync daemon while such a server exists (EINVAL).
func (c *ServiceConfig) MixedFamilies() bool {
	v6 := c.Service.Key.Canonical().IPv6
	if c.Fallback.IsValid() && c.fallback().Address.Addr().Is6() != v6 {
		return true
	}
	return slices.ContainsFunc(c.Servers, func(s ServerConfig) bool {
		return s.Server.Canonical().Address.Addr().Is6() != v6
	})
}
