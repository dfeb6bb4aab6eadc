package conf

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"holdfast/checker/probe"
	"holdfast/lvs"
)

// A server is one [[service.server]]. A Service keeps the two parts in separate
// lists.
type server struct {
	lvs.ServerConfig
	Health
}

// servers joins the two lists of s.
func (s *Service) servers() []server {
	var servers []server
	for i := range s.Servers {
		servers = append(servers, server{s.Servers[i], s.Health[i]})
	}
	return servers
}

// setServers sets the two lists of s.
func (s *Service) setServers(servers []server) {
	s.Servers, s.Health = slices.Grow(s.Servers, len(servers)), slices.Grow(s.Health, len(servers))
	for _, r := range servers {
		s.Servers = append(s.Servers, r.ServerConfig)
		s.Health = append(s.Health, r.Health)
	}
}

// visit visits one server of s, with its inherited defaults. checkOK tells
// whether the inherited check is valid; if not, its errors are not repeated.
func (r *server) visit(t *table, s *Service, inherited delivery, startsUp, checkOK bool) {
	v := &r.Server
	checked := s.Active == lvs.ActiveNever
	r.visitName(t, s, checked)
	field(t, "weight", &v.Weight, integer[int](0, lvs.MaxWeight), 1)
	if t.reading() || !t.brief || r.asks() {
		field(t, "starts_up", &r.StartsUp, boolean, startsUp)
	}
	if t.reading() || !checked {
		field(t, "upper_threshold", &v.Upper, integer[uint32](0, 1<<32-1), 0)
		field(t, "lower_threshold", &v.Lower, integer[uint32](0, 1<<32-1), 0)
		d := deliveryOf(*v)
		d.visit(t, inherited)
		d.apply(v)
	}
	if t.reading() && checked {
		t.forbid(`with active = "never"`, "upper_threshold", "lower_threshold", "forward", "tunnel", "tunnel_port", "tunnel_checksum")
		*v = lvs.Server{Address: v.Address, Weight: v.Weight}
	}
	if t.reading() || !reflect.DeepEqual(r.Checks, s.Checks) {
		visitChecks(t, &r.Checks, checkDefaults{s.Checks, !checkOK, s.defaultCheck()})
	}
	if t.reading() {
		r.resolveCheck(t, s)
	}
}

// visitNotify visits the commands of the server, of which those of the service are the
// default.
func (r *server) visitNotify(t *table, shared *ServerNotify) {
	switch {
	case !t.reading():
		if !reflect.DeepEqual(r.Notify, shared) {
			t.sub("notify", func(t *table) { r.Notify.visit(t, *shared) })
		}
	case !t.has("notify"):
		t.ask("notify")
		r.Notify = shared
	default:
		r.Notify = new(ServerNotify)
		t.sub("notify", func(t *table) { r.Notify.visit(t, *shared) })
	}
}

// visitName visits what identifies the server: its address, or its name if it is only
// checked.
func (r *server) visitName(t *table, s *Service, checked bool) {
	v := &r.Server
	if !checked {
		need(t, "address", &v.Address, serverAddress(s.port()))
		field(t, "name", &r.Name, name, defaultServerName(v.Address))
		return
	}
	if t.reading() || v.Address.IsValid() {
		field(t, "address", &v.Address, serverAddress(0), netip.AddrPort{})
	}
	switch {
	case v.Address.IsValid() || !t.ok("address"):
		field(t, "name", &r.Name, name, defaultServerName(v.Address))
	case !t.reading() || t.has("name"):
		need(t, "name", &r.Name, name)
	default:
		t.failf("address", "or a name is required")
	}
}

// defaultServerName returns the address, without port 0.
func defaultServerName(a netip.AddrPort) string {
	if a.Port() == 0 {
		return a.Addr().String()
	}
	return a.String()
}

// resolveCheck refuses a check without a port. A server without a check is always
// up.
func (r *server) resolveCheck(t *table, s *Service) {
	if !r.asks() {
		if t.has("starts_up") && !r.StartsUp && t.ok("starts_up") {
			t.failf("starts_up", "must be true for a server without a check: such a server is always up")
		}
		r.StartsUp = true
		return
	}
	for i := range r.Checks {
		r.resolveTarget(t, s, &r.Checks[i])
	}
}

// resolveTarget refuses a check without a port, and one from an address of the other
// family.
func (r *server) resolveTarget(t *table, s *Service, c *Check) {
	checked := s.Active == lvs.ActiveNever
	known := checked || s.Service.Key.Mark != 0 || s.Service.Key.Address.IsValid() // otherwise that has been reported
	if !known || !t.ok("check") || !t.ok("address") {
		return
	}
	if !r.Server.Address.IsValid() {
		if checked && !c.Address.IsValid() && !probe.ByName(c.Probe) && c.Probe.Needs().HasAddress() {
			t.failf("check", "needs the key address of the server; only a monitor of mon asks for a server by its name, with host = \"name\"")
		}
		return
	}
	to := c.address(s.checked(r.Server.Address))
	switch source := c.Dial.Source; {
	case c.Probe.Needs() == probe.NeedsPort && to.Port() == 0:
		t.failf("check", "the key port is required, because the server has no port")
	case source.IsValid() && c.Probe.Needs().HasAddress() && source.Is4() != to.Addr().Unmap().Is4():
		t.failf("check", "the source %v is not of the family of %v", source, to.Addr())
	default:
		r.resolveVia(t, s, c)
	}
}

// serverAddress is an address with a port. The default of the port is port; 0 is
// every port of the service.
func serverAddress(port uint16) codec[netip.AddrPort] {
	return textual("an address", func(s string) (netip.AddrPort, error) {
		if a, err := netip.ParseAddr(s); err == nil {
			a, err = plainAddress(a)
			return netip.AddrPortFrom(a, port), err
		}
		return parseAddressPort(s)
	}, func(a netip.AddrPort) string {
		if port == 0 {
			return defaultServerName(a)
		}
		return a.String()
	})
}

// A delivery is the forwarding method of a server with its tunnel, in the form
// of the file.
type delivery struct {
	forward  lvs.Forward
	tunnel   lvs.TunnelType
	port     uint16
	checksum string // one of tunnelChecksum, "" like "none"
}

var (
	forward = choice(option[lvs.Forward]{"nat", lvs.NAT}, option[lvs.Forward]{"dr", lvs.DR}, option[lvs.Forward]{"tun", lvs.TUN})
	tunnel  = choice(option[lvs.TunnelType]{"ipip", lvs.IPIP}, option[lvs.TunnelType]{"gue", lvs.GUE}, option[lvs.TunnelType]{"gre", lvs.GRE})
	// tunnelChecksum covers lvs.Tunnel's Checksum and RemoteChecksum.
	tunnelChecksum = choice(option[string]{"none", "none"}, option[string]{"outer", "outer"}, option[string]{"remote", "remote"})
)

// defaultDelivery is that of a service which says nothing about it.
var defaultDelivery = deliveryOf(lvs.Server{})

// common returns what a brief service says for its servers: the delivery and
// starts_up that all of them share, otherwise the defaults.
func (s *Service) common(brief bool) (d delivery, startsUp bool) {
	d = defaultDelivery
	if !brief {
		return d, false
	}
	for i, v := range s.Servers {
		own := deliveryOf(v.Server)
		if i == 0 {
			d = own
		} else if own != d {
			d = defaultDelivery
			break
		}
	}
	checked, up := 0, 0
	for i, h := range s.Health {
		if h.asks() {
			checked++
			if s.Servers[i].StartsUp {
				up++
			}
		}
	}
	return d, checked > 0 && up == checked
}

func deliveryOf(v lvs.Server) delivery {
	d := delivery{forward: v.Forward, tunnel: v.Tunnel.Type, port: v.Tunnel.Port, checksum: "none"}
	switch {
	case v.Tunnel.Checksum:
		d.checksum = "outer"
	case v.Tunnel.RemoteChecksum:
		d.checksum = "remote"
	}
	return d
}

func (d *delivery) visit(t *table, inherited delivery) {
	field(t, "forward", &d.forward, forward, inherited.forward)
	if !t.reading() && d.forward != lvs.TUN {
		return
	}
	field(t, "tunnel", &d.tunnel, tunnel, inherited.tunnel)
	field(t, "tunnel_port", &d.port, optional(integer[uint16](1, 65535)), inherited.port)
	field(t, "tunnel_checksum", &d.checksum, tunnelChecksum, inherited.checksum)
	if t.reading() && d.forward != lvs.TUN && t.ok("forward") {
		t.forbid(fmt.Sprintf("with forward = %q", d.forward), "tunnel", "tunnel_port", "tunnel_checksum")
	}
}

// apply sets the forwarding of v. It drops an inherited tunnel if the method is
// not TUN.
func (d delivery) apply(v *lvs.Server) {
	v.Forward = d.forward
	v.Tunnel = lvs.Tunnel{}
	if d.forward == lvs.TUN {
		v.Tunnel = lvs.Tunnel{Type: d.tunnel, Port: d.port, Checksum: d.checksum == "outer", RemoteChecksum: d.checksum == "remote"}
	}
}
