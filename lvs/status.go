package lvs

import "net/netip"

// Counters are what the kernel counts of a service or a server since it was
// made, and its estimate of the rates per second. It brings both up to date
// every two seconds.
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

// Usage is a service in the kernel with what it counted.
type Usage struct {
	Service  Service
	Counters Counters
	Servers  []ServerUsage // in the order of their addresses
}

// ServerUsage is a server in the kernel with what it counted and the
// connections it has now.
type ServerUsage struct {
	Server     Server
	Counters   Counters
	Active     uint32 // established connections
	Inactive   uint32 // connections in every other state
	Persistent uint32 // clients that are tied to it
}

// Wanted returns the content of u without its counters.
func (u *Usage) Wanted() Wanted {
	w := Wanted{Service: u.Service, Servers: make([]Server, len(u.Servers))}
	for i := range u.Servers {
		w.Servers[i] = u.Servers[i].Server
	}
	return w
}

// A ServiceStatus is a service for a person or a program to read.
type ServiceStatus struct {
	Name      string `json:"name"`    // "" when it is not ours
	Service   string `json:"service"` // as Key.String
	Scheduler string `json:"scheduler"`
	Active    string `json:"active"`           // always or master
	Follow    string `json:"follow,omitempty"` // the group that decides with active master
	// Wanted and Present tell whether the service should be, and is, in the
	// kernel.
	Wanted  bool `json:"wanted"`
	Present bool `json:"present"`
	// Foreign tells that the service is somebody else's.
	Foreign      bool           `json:"foreign,omitempty"`
	OnFallback   bool           `json:"on_fallback"`   // the fallback server takes its traffic
	PersistSecs  int            `json:"persistence_s"` // 0 is none
	ServersUp    int            `json:"servers_up"`
	ServersTotal int            `json:"servers_total"`
	Counters     Counters       `json:"counters"`
	Servers      []ServerStatus `json:"servers"`
}

// A ServerStatus is a server for a person or a program to read.
type ServerStatus struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Forward string `json:"forward"`
	Health  string `json:"health"` // up, down or unknown
	// Configured is the weight of the configuration, Weight the one in the
	// kernel now.
	Configured int  `json:"configured_weight"`
	Weight     int  `json:"weight"`
	Present    bool `json:"present"` // in the kernel
	Fallback   bool `json:"fallback,omitempty"`
	Drained    bool `json:"drained"`
	Overridden bool `json:"overridden"` // the weight was set by an operator

	Active     uint32   `json:"active_connections"`
	Inactive   uint32   `json:"inactive_connections"`
	Persistent uint32   `json:"persistent_connections"`
	Counters   Counters `json:"counters"`
}

// Status joins what is configured and known with what the kernel holds: our
// services in the order of their configuration, then those of others.
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

// use fills in what the kernel says of the server; nil is a server that is not
// in the kernel.
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
