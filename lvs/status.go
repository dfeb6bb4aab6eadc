package lvs

import (
	"net/netip"
	"slices"
	"time"
)

// Counters are what the kernel has counted for a service or a server since it was
// added.
type Counters struct {
	Connections uint64 `json:"connections"`
	PacketsIn   uint64 `json:"packets_in"`
	PacketsOut  uint64 `json:"packets_out"`
	BytesIn     uint64 `json:"bytes_in"`
	BytesOut    uint64 `json:"bytes_out"`
	*Rates             // nil if the kernel does not estimate them
}

// Rates are estimates per second. The kernel updates them every two seconds
// (net/netfilter/ipvs/ip_vs_est.c), unless the sysctl net.ipv4.vs.run_estimation
// is 0.
type Rates struct {
	ConnectionRate uint64 `json:"connections_per_second"`
	PacketInRate   uint64 `json:"packets_in_per_second"`
	PacketOutRate  uint64 `json:"packets_out_per_second"`
	ByteInRate     uint64 `json:"bytes_in_per_second"`
	ByteOutRate    uint64 `json:"bytes_out_per_second"`
}

// Usage is a service in the kernel with its counters.
type Usage struct {
	Service  Service
	Counters Counters
	Servers  []ServerUsage // sorted by address
}

// ServerUsage is a server in the kernel with its counters and the numbers of its
// present connections.
type ServerUsage struct {
	Server     Server
	Counters   Counters
	Active     uint32 // established connections
	Inactive   uint32 // connections in every other state
	Persistent uint32 // persistent clients (persistence templates)
}

// Wanted returns u without its counters.
func (u *Usage) Wanted() Wanted {
	w := Wanted{Service: u.Service, Servers: make([]Server, len(u.Servers))}
	for i := range u.Servers {
		w.Servers[i] = u.Servers[i].Server
	}
	return w
}

// A ServiceStatus is the state of a service, for status output.
type ServiceStatus struct {
	Name      string `json:"name"`    // "" for a foreign service
	Service   string `json:"service"` // the form of ServiceConfig.KeyText, or of Key.String
	Scheduler string `json:"scheduler"`
	Active    string `json:"active"`           // always, master or never
	Follow    string `json:"follow,omitempty"` // the group that decides, with active master
	Wanted    bool   `json:"wanted"`           // the service should be in the kernel
	Present   bool   `json:"present"`          // the service is in the kernel, under all of its keys
	// Foreign says that another program is responsible for the service.
	Foreign       bool     `json:"foreign,omitempty"`
	OnFallback    bool     `json:"on_fallback"`                  // the fallback server gets the traffic
	PersistSecs   int      `json:"persistence_s"`                // the persistence timeout in seconds; 0 is none
	PersistPrefix int      `json:"persistence_prefix,omitempty"` // the prefix length of clients; with persistence
	PersistEngine string   `json:"persistence_engine,omitempty"`
	OnePacket     bool     `json:"one_packet,omitempty"`
	Flags         []string `json:"scheduler_flags,omitempty"` // the names of ipvsadm -b
	ServersUp     int      `json:"servers_up"`
	ServersTotal  int      `json:"servers_total"`
	// Health is up, down or unknown: up while WeightUp, the sum of the weights of the
	// servers that are up, is enough for the quorum.
	Health     string         `json:"health"`
	WeightUp   int            `json:"weight_up"`
	Quorum     int            `json:"quorum"`
	Hysteresis int            `json:"hysteresis"`
	Counters   Counters       `json:"counters"`
	Servers    []ServerStatus `json:"servers"`
}

// A ServerStatus is the state of a server, for status output.
type ServerStatus struct {
	Name       string `json:"name"`
	Address    string `json:"address"`
	Forward    string `json:"forward"`
	Health     string `json:"health"` // up, down or unknown
	Configured int    `json:"configured_weight"`
	// Effective is the weight that the server has while it is up, and WeightFrom says
	// where it comes from. WeightBy names the check with FromCheck.
	Effective  int          `json:"effective_weight"`
	WeightFrom WeightSource `json:"weight_from"`
	WeightBy   string       `json:"weight_by,omitempty"`
	Weight     int          `json:"weight"`  // in the kernel; 0 if it is not there
	Present    bool         `json:"present"` // the server is in the kernel
	Fallback   bool         `json:"fallback,omitempty"`
	Drained    bool         `json:"drained"`    // by an operator or by File
	Overridden bool         `json:"overridden"` // an operator has set the weight
	// Override says what operators have changed; nil: nothing. File is the file of the
	// maintenance directory that drains the server.
	Override *Override `json:"override,omitempty"`
	File     string    `json:"maintenance_file,omitempty"`
	// FullAt is when the slow start of the server ends; zero if it is in none.
	FullAt time.Time `json:"full_weight_at,omitzero"`
	// Upper and Lower are the thresholds of connections; 0 is none.
	Upper uint32 `json:"upper_threshold,omitempty"`
	Lower uint32 `json:"lower_threshold,omitempty"`
	// Tunnel is ipip, gue or gre with forward tun, TunnelPort the UDP port of gue,
	// and TunnelChecksum outer, remote or "".
	Tunnel         string `json:"tunnel,omitempty"`
	TunnelPort     uint16 `json:"tunnel_port,omitempty"`
	TunnelChecksum string `json:"tunnel_checksum,omitempty"`

	Active     uint32   `json:"active_connections"`
	Inactive   uint32   `json:"inactive_connections"`
	Persistent uint32   `json:"persistent_connections"`
	Counters   Counters `json:"counters"`
}

// A WeightSource says where the weight of a server comes from.
type WeightSource string

// The sources.
const (
	FromConfig   WeightSource = "configuration"
	FromCheck    WeightSource = "check"
	FromOperator WeightSource = "operator" // drain or weight, or a file of the maintenance directory
)

// Status returns the state of all services, given what the kernel holds: first
// ours in the order of the configuration, then the foreign ones.
func (t *Table) Status(have []Usage) []ServiceStatus {
	held := make(map[Key]*Usage, len(have))
	for i := range have {
		held[have[i].Service.Key] = &have[i]
	}
	list := make([]ServiceStatus, 0, len(t.services))
	for i := range t.services {
		c := &t.services[i]
		list = append(list, t.serviceStatus(c, c.gather(held)))
		for _, key := range c.Keys() {
			delete(held, key)
		}
	}
	for i := range have {
		if held[have[i].Service.Key] != nil {
			list = append(list, foreignStatus(&have[i]))
		}
	}
	return list
}

// A gathering is what the kernel holds of a configured service, under all of its
// keys together.
type gathering struct {
	service  Service // under the first key that the kernel has
	keys     int     // the number of keys of the service
	present  int     // how many of them the kernel has
	counters Counters
	servers  []gathered // those of the configuration, and then its fallback servers
}

// gathered is what the kernel holds of a server of a service.
type gathered struct {
	*ServerUsage     // nil if the kernel has it under no key
	present      int // the number of keys under which the kernel has the server
}

// gather sums up what the kernel holds of c.
func (c *ServiceConfig) gather(held map[Key]*Usage) gathering {
	keys := c.Keys()
	g := gathering{service: c.Service.Canonical(), keys: len(keys), servers: make([]gathered, len(c.Servers)+len(c.Fallbacks))}
	for _, key := range keys {
		u := held[key]
		if u == nil {
			continue
		}
		if g.present == 0 {
			g.service = u.Service
		}
		g.present++
		g.counters.add(u.Counters, g.present == 1)
		for i := range g.servers {
			if su := u.server(c.configured(i).under(key).Address); su != nil {
				g.servers[i].add(su)
			}
		}
	}
	return g
}

// configured returns a server of the configuration or, behind those, a fallback server.
func (c *ServiceConfig) configured(i int) Server {
	if i < len(c.Servers) {
		return c.Servers[i].Server.Canonical()
	}
	return c.fallback(c.Fallbacks[i-len(c.Servers)])
}

// server returns the server at an address, nil without one.
func (u *Usage) server(address netip.AddrPort) *ServerUsage {
	i, found := slices.BinarySearchFunc(u.Servers, address, func(s ServerUsage, a netip.AddrPort) int { return s.Server.Address.Compare(a) })
	if !found {
		return nil
	}
	return &u.Servers[i]
}

// add adds what the kernel holds under one more key. What it holds under the only key is
// not copied.
func (g *gathered) add(u *ServerUsage) {
	if g.present++; g.present == 1 {
		g.ServerUsage = u
		return
	}
	if g.present == 2 {
		sum := *g.ServerUsage
		sum.Counters = Counters{}
		sum.Counters.add(g.Counters, true)
		g.ServerUsage = &sum
	}
	g.Active += u.Active
	g.Inactive += u.Inactive
	g.Persistent += u.Persistent
	g.Counters.add(u.Counters, false)
}

// add adds o to c. The sum has rates if all have; the first is added to none.
func (c *Counters) add(o Counters, first bool) {
	c.Connections += o.Connections
	c.PacketsIn += o.PacketsIn
	c.PacketsOut += o.PacketsOut
	c.BytesIn += o.BytesIn
	c.BytesOut += o.BytesOut
	switch {
	case first && o.Rates != nil:
		rates := *o.Rates
		c.Rates = &rates
	case c.Rates == nil || o.Rates == nil:
		c.Rates = nil
	default:
		c.ConnectionRate += o.ConnectionRate
		c.PacketInRate += o.PacketInRate
		c.PacketOutRate += o.PacketOutRate
		c.ByteInRate += o.ByteInRate
		c.ByteOutRate += o.ByteOutRate
	}
}

func (t *Table) serviceStatus(c *ServiceConfig, g gathering) ServiceStatus {
	s := ServiceStatus{
		Name: c.Name, Active: c.Active.String(), Follow: c.Follow,
		Wanted: t.present(c), Present: g.keys > 0 && g.present == g.keys, ServersTotal: len(c.Servers), Counters: g.counters,
		Health: t.ServiceHealth(c.Name).String(), Quorum: max(c.Quorum, 1), Hysteresis: c.Hysteresis,
	}
	s.WeightUp, _ = t.weights(c)
	if c.Active != ActiveNever {
		s.describe(g.service)
	}
	s.Service = c.KeyText()
	s.Servers = make([]ServerStatus, 0, len(c.Servers)+len(c.Fallbacks))
	for i := range c.Servers {
		r := t.serverStatus(c, &c.Servers[i])
		r.gather(&g, i, c.configured(i).Address)
		if r.Health == Up.String() {
			s.ServersUp++
		}
		s.Servers = append(s.Servers, r)
	}
	for i := len(c.Servers); i < len(g.servers); i++ {
		if g.servers[i].present > 0 {
			r := ServerStatus{Name: "fallback", Configured: 1, Effective: 1, WeightFrom: FromConfig, Fallback: true}
			f := c.configured(i)
			r.describe(f)
			r.gather(&g, i, f.Address)
			s.OnFallback = true
			s.Servers = append(s.Servers, r)
		}
	}
	return s
}

func (t *Table) serverStatus(c *ServiceConfig, s *ServerConfig) ServerStatus {
	state := t.servers[c.id(s)]
	r := ServerStatus{
		Name: s.name(), Health: state.health.String(), Configured: s.Server.Weight,
		Drained: state.drained(), Overridden: state.override.Weight != nil, File: state.file,
	}
	if state.override != (Override{}) {
		o := state.override
		r.Override = &o
	}
	if since := state.rise.since; !since.IsZero() {
		r.FullAt = since.Add(c.SlowStart)
	}
	r.Effective, r.WeightFrom = state.weight(r.Configured)
	if r.WeightFrom == FromCheck {
		r.WeightBy = state.checker
	}
	r.describe(s.Server)
	if c.Active == ActiveNever {
		r.Address, r.Forward = plain(s.Server.Canonical().Address), ""
	}
	return r
}

// describe fills in the parameters of the service.
func (s *ServiceStatus) describe(service Service) {
	s.Service, s.Scheduler = service.Key.String(), service.Scheduler
	s.PersistSecs, s.PersistEngine = int(service.Persistence.Seconds()), service.PersistEngine
	if service.Persistence > 0 {
		s.PersistPrefix = service.PersistPrefix
	}
	s.OnePacket = service.Flags&FlagOnePacket != 0
	s.Flags = flagNames(service.Scheduler, service.Flags)
}

// describe fills in the parameters of the server, except its weight.
func (r *ServerStatus) describe(s Server) {
	s = s.Canonical()
	r.Address, r.Forward, r.Upper, r.Lower = s.Address.String(), s.Forward.String(), s.Upper, s.Lower
	r.Tunnel, r.TunnelPort, r.TunnelChecksum = "", s.Tunnel.Port, ""
	if s.Forward == TUN {
		r.Tunnel = s.Tunnel.Type.String()
	}
	switch {
	case s.Tunnel.RemoteChecksum:
		r.TunnelChecksum = "remote"
	case s.Tunnel.Checksum:
		r.TunnelChecksum = "outer"
	}
}

// gather fills in what the kernel holds of a server with a configured address.
func (r *ServerStatus) gather(g *gathering, i int, address netip.AddrPort) {
	if held := &g.servers[i]; held.present > 0 {
		r.use(held.ServerUsage)
		r.Present = held.present == g.keys
	}
	if g.keys > 1 { // under each key the server may have another port
		r.Address = plain(address)
	}
}

// plain returns an address with a port without it if it is 0. A server without an
// address has "".
func plain(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	if a.Port() == 0 {
		return a.Addr().String()
	}
	return a.String()
}

// use fills in the values of the kernel.
func (r *ServerStatus) use(u *ServerUsage) {
	r.describe(u.Server)
	r.Present, r.Weight = true, u.Server.Weight
	r.Active, r.Inactive, r.Persistent, r.Counters = u.Active, u.Inactive, u.Persistent, u.Counters
}

func foreignStatus(u *Usage) ServiceStatus {
	s := ServiceStatus{Active: ActiveAlways.String(), Present: true, Foreign: true, Health: Unknown.String(), Counters: u.Counters, ServersTotal: len(u.Servers)}
	s.describe(u.Service)
	for i := range u.Servers {
		r := ServerStatus{
			Name: u.Servers[i].Server.Address.String(), Health: Unknown.String(), Configured: u.Servers[i].Server.Weight,
			Effective: u.Servers[i].Server.Weight, WeightFrom: FromConfig,
		}
		r.use(&u.Servers[i])
		s.Servers = append(s.Servers, r)
	}
	return s
}
