package lvs

import "net/netip"

// Counters are what the kernel has counted for a service or a server since it was
// added, and the rates per second that it estimates. The kernel updates the rates
// every two seconds (net/netfilter/ipvs/ip_vs_est.c).
type Counters struct {
	Connections uint64 `json:"connections"`
	PacketsIn   uint64 `json:"packets_in"`
	PacketsOut  uint64 `json:"packets_out"`
	BytesIn     uint64 `json:"bytes_in"`
	BytesOut    uint64 `json:"bytes_out"`

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
	Service   string `json:"service"` // the form of Key.String
	Scheduler string `json:"scheduler"`
	Active    string `json:"active"`           // always or master
	Follow    string `json:"follow,omitempty"` // the group that decides, with active master
	Wanted    bool   `json:"wanted"`           // the service should be in the kernel
	Present   bool   `json:"present"`          // the service is in the kernel
	// Foreign says that another program is responsible for the service.
	Foreign      bool           `json:"foreign,omitempty"`
	OnFallback   bool           `json:"on_fallback"`   // the fallback server gets the traffic
	PersistSecs  int            `json:"persistence_s"` // the persistence timeout in seconds; 0 is none
	ServersUp    int            `json:"servers_up"`
	ServersTotal int            `json:"servers_total"`
	Counters     Counters       `json:"counters"`
	Servers      []ServerStatus `json:"servers"`
}

// A ServerStatus is the state of a server, for status output.
type ServerStatus struct {
	Name       string `json:"name"`
	Address    string `json:"address"`
	Forward    string `json:"forward"`
	Health     string `json:"health"` // up, down or unknown
	Configured int    `json:"configured_weight"`
	Weight     int    `json:"weight"`  // in the kernel; 0 if it is not there
	Present    bool   `json:"present"` // the server is in the kernel
	Fallback   bool   `json:"fallback,omitempty"`
	Drained    bool   `json:"drained"`
	Overridden bool   `json:"overridden"` // an operator has set the weight

	Active     uint32   `json:"active_connections"`
	Inactive   uint32   `json:"inactive_connections"`
	Persistent uint32   `json:"persistent_connections"`
	Counters   Counters `json:"counters"`
}

// Status returns the state of all services, given what the kernel holds: first
// ours in the order of the configuration, then the foreign ones.
func (t *Table) Status(have []Usage) []ServiceStatus {
	held := make(map[Key]*Usage, len(have))
	for i := range have {
		held[have[i].Service.Key] = &have[i]
	}
	list := make([]ServiceStatus, 0, len(t.services))
	for i := range t.services {
		key := t.services[i].Service.Key.Canonical()
		list = append(list, t.serviceStatus(&t.services[i], held[key]))
		delete(held, key)
	}
	for i := range have {
		if held[have[i].Service.Key] != nil {
			list = append(list, foreignStatus(&have[i]))
		}
	}
	return list
}

func (t *Table) serviceStatus(c *ServiceConfig, u *Usage) ServiceStatus {
	service := c.Service.Canonical()
	s := ServiceStatus{
		Name: c.Name, Service: service.Key.String(), Scheduler: service.Scheduler,
		Active: c.Active.String(), Follow: c.Follow,
		PersistSecs: int(service.Persistence.Seconds()),
		Wanted:      t.present(c), Present: u != nil, ServersTotal: len(c.Servers),
	}
	held := make(map[netip.AddrPort]*ServerUsage)
	if u != nil {
		s.Counters = u.Counters
		for i := range u.Servers {
			held[u.Servers[i].Server.Address] = &u.Servers[i]
		}
	}
	for i := range c.Servers {
		r := t.serverStatus(c, &c.Servers[i])
		r.use(held[c.Servers[i].Server.Canonical().Address])
		if r.Health == Up.String() {
			s.ServersUp++
		}
		s.Servers = append(s.Servers, r)
	}
	if f := c.fallback(); c.Fallback.IsValid() && held[f.Address] != nil {
		r := ServerStatus{Name: "fallback", Address: f.Address.String(), Forward: f.Forward.String(), Configured: 1, Fallback: true}
		r.use(held[f.Address])
		s.OnFallback = true
		s.Servers = append(s.Servers, r)
	}
	return s
}

func (t *Table) serverStatus(c *ServiceConfig, s *ServerConfig) ServerStatus {
	state := t.servers[c.id(s)]
	return ServerStatus{
		Name: s.name(), Address: s.Server.Address.String(), Forward: s.Server.Forward.String(),
		Health: state.health.String(), Configured: s.Server.Weight,
		Drained: state.override.Drained, Overridden: state.override.Weight != nil,
	}
}

// use fills in the values of the kernel. u is nil if the server is not in the
// kernel.
func (r *ServerStatus) use(u *ServerUsage) {
	if u == nil {
		return
	}
	r.Present, r.Weight, r.Forward = true, u.Server.Weight, u.Server.Forward.String()
	r.Active, r.Inactive, r.Persistent, r.Counters = u.Active, u.Inactive, u.Persistent, u.Counters
}

func foreignStatus(u *Usage) ServiceStatus {
	s := ServiceStatus{
		Service: u.Service.Key.String(), Scheduler: u.Service.Scheduler, Active: ActiveAlways.String(),
		PersistSecs: int(u.Service.Persistence.Seconds()),
		Present:     true, Foreign: true, Counters: u.Counters, ServersTotal: len(u.Servers),
	}
	for i := range u.Servers {
		r := ServerStatus{
			Name: u.Servers[i].Server.Address.String(), Address: u.Servers[i].Server.Address.String(),
			Health: Unknown.String(), Configured: u.Servers[i].Server.Weight,
		}
		r.use(&u.Servers[i])
		s.Servers = append(s.Servers, r)
	}
	return s
}
