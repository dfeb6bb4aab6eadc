package lvs

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// MaxPersistence is the largest persistence timeout, the same as ipvsadm's.
const MaxPersistence = 31 * 24 * time.Hour

// A FieldError is one fault of a configuration.
type FieldError struct {
	Server  int    // the index of the faulty server in ServiceConfig.Servers, or -1
	Name    string // that server's name
	Key     string // the key as in the configuration file
	Problem string
}

// Error returns "KEY: PROBLEM" or "server NAME: KEY: PROBLEM".
func (e *FieldError) Error() string {
	if e.Server < 0 {
		return e.Key + ": " + e.Problem
	}
	return "server " + e.Name + ": " + e.Key + ": " + e.Problem
}

// fieldErrors collects the faults of a configuration. server and name are those
// of the server that is being validated.
type fieldErrors struct {
	errs   []error
	server int
	name   string
}

func (f *fieldErrors) add(key, format string, args ...any) {
	f.errs = append(f.errs, &FieldError{Server: f.server, Name: f.name, Key: key, Problem: fmt.Sprintf(format, args...)})
}

// Validate returns all faults of c, joined. Each is a *FieldError. A fault is a
// setting that the kernel refuses, or accepts without any effect.
func (c *ServiceConfig) Validate() error {
	f := fieldErrors{server: -1}
	if c.Name == "" {
		f.add("name", "is needed")
	}
	if c.Active != ActiveNever {
		c.validateKeys(&f)
		c.Service.validate(&f)
	}
	if c.Active == ActiveMaster && c.Follow == "" {
		f.add("follow", "is needed with active = \"master\": the name of a group or instance")
	}
	c.validateQuorum(&f)
	c.validateFallbacks(&f)
	c.validateServers(&f)
	return errors.Join(f.errs...)
}

// validateKeys checks each key of c. It stops at the first one with a fault,
// because the others are likely to have the same.
func (c *ServiceConfig) validateKeys(f *fieldErrors) {
	if len(c.Also) >= MaxKeys {
		f.add("address", "means %d virtual services, more than %d: use a firewall mark for them", 1+len(c.Also), MaxKeys)
		return
	}
	keys := append([]Key{c.Service.Key}, c.Also...)
	for i, k := range keys {
		before := len(f.errs)
		if i > 0 && (k.Mark != 0) != (keys[0].Mark != 0) {
			f.add("mark", "cannot be combined with protocol and address")
		}
		c.Service.validateKey(f, k)
		if len(f.errs) > before {
			return
		}
	}
}

// validateServers checks the servers of c one by one, and against each other.
func (c *ServiceConfig) validateServers(f *fieldErrors) {
	keys := c.Keys()
	names := make(map[string]bool, len(c.Servers))
	addresses := make(map[netip.AddrPort]bool, len(c.Servers))
	for i := range c.Servers {
		s := &c.Servers[i]
		f.server, f.name = i, s.name()
		if c.Active == ActiveNever {
			validateChecked(f, s)
		} else {
			validateServer(f, keys, s.Server)
		}
		address := s.Server.Canonical().Address
		if addresses[address] && address.IsValid() {
			f.add("address", "%v is listed twice", address)
		}
		if names[s.name()] && s.Name != "" {
			f.add("name", "is given twice")
		}
		names[s.name()], addresses[address] = true, true
	}
	for i := range c.Servers {
		s := &c.Servers[i]
		f.server, f.name = i, s.name()
		a := s.Server.Canonical().Address
		taken := func(k Key) bool { return k.Address.Port() == a.Port() }
		if a.Port() != 0 && addresses[netip.AddrPortFrom(a.Addr(), 0)] && slices.ContainsFunc(keys, taken) {
			f.add("address", "%v is listed twice, the other time without its port", a)
		}
	}
}

// validateKey checks a key of s, and what of s depends on it.
func (s *Service) validateKey(f *fieldErrors, k Key) {
	switch {
	case k.Mark != 0 && (k.Protocol != ProtocolNone || k.Address != netip.AddrPort{}):
		f.add("mark", "cannot be combined with protocol and address")
	case k.Mark != 0:
	case !k.Address.Addr().IsValid():
		f.add("address", "is needed, or mark")
	case k.Address.Addr().Zone() != "":
		f.add("address", "%v must not contain an interface", k.Address.Addr())
	case k.Protocol != TCP && k.Protocol != UDP && k.Protocol != SCTP:
		f.add("protocol", "must be tcp, udp or sctp")
	case k.Address.Port() == 0 && s.Persistence == 0:
		// net/netfilter/ipvs/ip_vs_core.c, ip_vs_schedule: "port zero only
		// supported in persistent services".
		f.add("address", "port 0 (every port) needs persistence")
	}
	if s.PersistPrefix < 0 || s.PersistPrefix > k.bits() && s.PersistPrefix != s.Key.bits() {
		f.add("persistence_prefix", "must be 1 to %d, not %d", k.bits(), s.PersistPrefix)
	}
	if s.Flags&FlagOnePacket != 0 && k.Mark == 0 && k.Protocol != UDP {
		f.add("one_packet", "works with udp services only")
	}
}

// validate checks the settings of s that do not depend on its key.
func (s *Service) validate(f *fieldErrors) {
	if !slices.Contains(schedulers, s.Scheduler) {
		f.add("scheduler", "%q is not one of %v", s.Scheduler, schedulers)
	}
	if s.Persistence < 0 || s.Persistence > MaxPersistence || s.Persistence%time.Second != 0 {
		f.add("persistence", "must be whole seconds up to %v, not %v", MaxPersistence, s.Persistence)
	}
	if s.PersistEngine != "" && s.PersistEngine != "sip" {
		f.add("persistence_engine", "must be sip, not %q", s.PersistEngine)
	}
	if s.PersistEngine != "" && s.Persistence == 0 {
		f.add("persistence_engine", "has no effect without persistence")
	}
}

// validateChecked checks a server that is only checked. It needs no address if it has
// a name.
func validateChecked(f *fieldErrors, s *ServerConfig) {
	if s.Server.Address.Addr().IsValid() || s.Name == "" {
		validAddress(f, "address", s.Server.Address)
	}
}

// validateServer checks a server of a service with the given keys.
func validateServer(f *fieldErrors, keys []Key, r Server) {
	if validAddress(f, "address", r.Address) {
		validateForward(f, "address", "forward", keys, r)
	}
	if r.Weight < 0 || r.Weight > MaxWeight {
		f.add("weight", "must be 0 to %d, not %d", MaxWeight, r.Weight)
	}
	if r.Lower > r.Upper {
		f.add("lower_threshold", "%d is above upper_threshold, %d", r.Lower, r.Upper)
	}
	t := r.Tunnel
	switch {
	case t != Tunnel{} && r.Forward != TUN:
		f.add("tunnel", "has no effect with forward %v", r.Forward)
	case t.Type > GRE:
		f.add("tunnel", "unknown type %v", t.Type)
	case t.Type == GUE && t.Port == 0:
		f.add("tunnel_port", "is needed with gue")
	case t.Type != GUE && t.Port != 0:
		f.add("tunnel_port", "has no effect with %v", t.Type)
	case t.Type == IPIP && t.Checksum:
		f.add("tunnel_checksum", "has no effect with ipip")
	case t.Type != GUE && t.RemoteChecksum:
		f.add("tunnel_checksum", "a remote checksum works with gue only")
	}
}

func (c *ServiceConfig) validateQuorum(f *fieldErrors) {
	if c.Quorum < 0 {
		f.add("quorum", "must be at least 1, not %d", c.Quorum)
	}
	if c.Hysteresis < 0 || c.Hysteresis > 0 && c.Hysteresis >= c.Quorum {
		f.add("hysteresis", "must be less than the quorum %d, not %d", max(c.Quorum, 1), c.Hysteresis)
	}
	if c.SlowStart < 0 || c.SlowStart%time.Second != 0 {
		f.add("slow_start", "must be whole seconds, not %v", c.SlowStart)
	}
}

func (c *ServiceConfig) validateFallbacks(f *fieldErrors) {
	seen := make(map[netip.AddrPort]bool)
	for _, a := range c.Fallbacks {
		if !validAddress(f, "fallback", a) {
			continue
		}
		fallback := c.fallback(a)
		validateForward(f, "fallback", "fallback_forward", c.Keys(), fallback)
		isServer := func(s ServerConfig) bool { return s.Server.Canonical().Address == fallback.Address }
		switch {
		case seen[fallback.Address]:
			f.add("fallback", "%v is listed twice", a)
		case slices.ContainsFunc(c.Servers, isServer):
			f.add("fallback", "%v is one of the servers", a)
		}
		seen[fallback.Address] = true
	}
}

func validAddress(f *fieldErrors, key string, a netip.AddrPort) bool {
	switch {
	case !a.Addr().IsValid():
		f.add(key, "is needed")
	case a.Addr().Zone() != "":
		f.add(key, "%v must not contain an interface", a.Addr())
	case a.Addr().IsUnspecified() || a.Addr().IsMulticast():
		f.add(key, "%v is not the address of a host", a.Addr())
	default:
		return true
	}
	return false
}

// validateForward checks the address of a server against its forwarding method and
// the keys of its service, as far as they are known. The kernel refuses another
// address family without a tunnel (ip_vs_genl_set_cmd) and cannot translate ports
// without NAT.
func validateForward(f *fieldErrors, addressKey, forwardKey string, keys []Key, r Server) {
	r = r.Canonical()
	switch r.Forward {
	case NAT, DR, TUN:
	default:
		f.add(forwardKey, "must be nat, dr or tun")
		return
	}
	known := func(k Key) bool { return k.Mark != 0 || k.Address.IsValid() }
	if r.Forward != TUN && slices.ContainsFunc(keys, func(k Key) bool { return known(k) && k.IPv6 != r.Address.Addr().Is6() }) {
		f.add(addressKey, "%v and the service are of different address families, which needs %s = \"tun\"", r.Address.Addr(), forwardKey)
	}
	if r.Forward == NAT && r.Address.Addr().IsLoopback() {
		// net/netfilter/ipvs/ip_vs_xmit.c: "stopping DNAT to loopback address"
		f.add(addressKey, "the kernel does not forward with nat to a loopback address, %v: use another address of this director", r.Address.Addr())
	}
	if r.Forward == NAT || r.Address.Port() == 0 {
		return
	}
	for _, k := range keys {
		if known(k) && k.Mark == 0 && r.Address.Port() != k.Address.Port() {
			f.add(addressKey, "must have the service's port %d, not %d: forward %v does not change ports", k.Address.Port(), r.Address.Port(), r.Forward)
			return
		}
	}
}

// fallback returns a fallback server as it is added to the kernel.
func (c *ServiceConfig) fallback(a netip.AddrPort) Server {
	return Server{Address: a, Forward: c.FallbackForward, Weight: 1}.Canonical()
}

// MixedFamilies reports whether a server or a fallback is of another address
// family than the service. The kernel refuses such a server while a sync daemon
// runs, and a sync daemon while there is such a server (EINVAL).
func (c *ServiceConfig) MixedFamilies() bool {
	return slices.ContainsFunc(c.Keys(), func(k Key) bool {
		if slices.ContainsFunc(c.Fallbacks, func(a netip.AddrPort) bool { return c.fallback(a).Address.Addr().Is6() != k.IPv6 }) {
			return true
		}
		return slices.ContainsFunc(c.Servers, func(s ServerConfig) bool {
			return s.Server.Canonical().Address.Addr().Is6() != k.IPv6
		})
	})
}
