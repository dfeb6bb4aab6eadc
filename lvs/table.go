package lvs

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Health is the health of a server.
type Health uint8

// The values of Health.
const (
	Unknown Health = iota // no check has reported yet
	Up
	Down
)

// String returns "unknown", "up" or "down".
func (h Health) String() string {
	switch h {
	case Up:
		return "up"
	case Down:
		return "down"
	}
	return "unknown"
}

// A Ref identifies a server by its name and the name of its service.
type Ref struct{ Service, Server string }

// String returns "service/server".
func (r Ref) String() string { return r.Service + "/" + r.Server }

// Errors of the methods that take a Ref.
var (
	ErrUnknownService = errors.New("no such service is configured")
	ErrUnknownServer  = errors.New("no such server is configured")
)

// A Table computes what the kernel should hold from the configured services, the
// health of their servers, the mastership of groups, the overrides of operators and
// the time. It is not safe for concurrent use.
type Table struct {
	services []ServiceConfig
	places   map[string]int // the indices of services by name
	masters  map[string]bool
	servers  map[serverID]*serverState
	quorums  map[string]*quorum                 // by the name of the service
	files    Files                              // of the maintenance directory
	recalled *Memory                            // of a former run, until the first Configure
	now      time.Time                          // of the last Step
	refs     map[string]map[string]*serverState // see indexRefs; nil after a new configuration
}

// A serverID identifies a server across configurations. A server keeps its state
// when its name changes, and loses it when its address changes. Without an address it
// has its name.
type serverID struct {
	service string
	address netip.AddrPort
	name    string // "" with an address
}

type serverState struct {
	health   Health
	quiesced bool // Adopt has found it with weight 0, and no check has reported yet
	override Override
	file     string // of the maintenance directory, that drains it; "": none
	rise     rise
	checked  *int   // the weight that the checks want; nil: they do not say
	checker  string // the check that decided checked
}

// NewTable returns an empty table.
func NewTable() *Table {
	return &Table{
		places: make(map[string]int), masters: make(map[string]bool), servers: make(map[serverID]*serverState),
		quorums: make(map[string]*quorum),
	}
}

// Configure replaces the configuration. A server keeps its health and its
// override if its address and its service's name are the same as before. A weight
// that an operator has set is dropped when the configured weight changes.
//
// The services must be valid ([ServiceConfig.Validate]). If two have the same
// name or key, Configure returns an error and changes nothing.
//
// The health of a new server is Up with StartsUp and Unknown otherwise. Call
// [Table.Adopt] next, so that servers that the kernel uses stay in use.
func (t *Table) Configure(services []ServiceConfig) error {
	if err := distinct(services); err != nil {
		return err
	}
	former := t.configuredWeights()
	states := make(map[serverID]*serverState)
	for i := range services {
		for j := range services[i].Servers {
			c := &services[i].Servers[j]
			id := services[i].id(c)
			state := t.servers[id]
			switch {
			case state == nil:
				state = t.newServer(id, c)
			case former[id] != c.Server.Weight:
				state.override.Weight = nil
			}
			states[id] = state
		}
	}
	t.refs = nil
	t.services, t.servers, t.places = slices.Clone(services), states, make(map[string]int, len(services))
	for i := range services {
		t.places[services[i].Name] = i
	}
	t.configureQuorums()
	t.recalled = nil
	t.Maintain(t.files)
	return nil
}

// newServer returns the state of a server that was not configured before.
func (t *Table) newServer(id serverID, c *ServerConfig) *serverState {
	state := &serverState{}
	if c.StartsUp {
		state.health = Up
	}
	if t.recalled != nil {
		t.recalled.server(id, state)
	}
	return state
}

func distinct(services []ServiceConfig) error {
	names, keys := make(map[string]bool), make(map[Key]string)
	for i := range services {
		name := services[i].Name
		if names[name] {
			return fmt.Errorf("configure services: two have the name %q", name)
		}
		names[name] = true
		for _, key := range services[i].Keys() {
			if other, ok := keys[key]; ok {
				return fmt.Errorf("configure services: %q and %q are both for %v", other, name, key)
			}
			keys[key] = name
		}
	}
	return nil
}

func (c *ServiceConfig) id(s *ServerConfig) serverID {
	id := serverID{service: c.Name, address: s.Server.Canonical().Address}
	if !id.address.Addr().IsValid() {
		id.name = s.Name
	}
	return id
}

// configuredWeights returns the configured weight of every server.
func (t *Table) configuredWeights() map[serverID]int {
	w := make(map[serverID]int, len(t.servers))
	for i := range t.services {
		for j := range t.services[i].Servers {
			s := &t.services[i].Servers[j]
			w[t.services[i].id(s)] = s.Server.Weight
		}
	}
	return w
}

// Clone returns an independent copy of t, for trying out a configuration.
func (t *Table) Clone() *Table {
	c := &Table{
		services: slices.Clone(t.services),
		places:   maps.Clone(t.places),
		masters:  maps.Clone(t.masters),
		servers:  make(map[serverID]*serverState, len(t.servers)),
		quorums:  make(map[string]*quorum, len(t.quorums)),
		files:    t.files,
		recalled: t.recalled,
		now:      t.now,
	}
	for id, state := range t.servers {
		state := *state
		c.servers[id] = &state
	}
	for name, q := range t.quorums {
		q := *q
		c.quorums[name] = &q
	}
	return c
}

// Adopt takes over the state of servers from the kernel's table, where their
// health is Unknown. A server with a weight above 0 counts as Up until a check
// reports something else. A server with weight 0 stays in the table with weight
// 0 until a check reports. So no server goes out of service because the daemon
// restarts or because a service gets another name. A service that the kernel serves
// by one of its servers counts as up until too few of them are.
func (t *Table) Adopt(have []Wanted) {
	held := make(map[Key][]Server, len(have))
	for _, h := range have {
		held[h.Service.Key] = h.Servers
	}
	for i := range t.services {
		c := &t.services[i]
		used := false
		for _, key := range c.Keys() {
			used = t.adopt(c, key, held[key]) || used
		}
		if used {
			t.adoptQuorum(c)
		}
	}
}

// adopt takes over the state of servers of c from one virtual service, and reports
// whether the kernel uses one of them.
func (t *Table) adopt(c *ServiceConfig, key Key, held []Server) (used bool) {
	weights := make(map[netip.AddrPort]int, len(held))
	for _, s := range held {
		weights[s.Address] = s.Weight
	}
	for i := range c.Servers {
		state := t.servers[c.id(&c.Servers[i])]
		weight, in := weights[c.Servers[i].Server.under(key).Address]
		used = used || weight > 0
		switch {
		case !in || state.health != Unknown:
		case weight > 0:
			state.health, state.quiesced = Up, false
		default:
			state.quiesced = true
		}
	}
	return used
}

// SetHealth sets the health of a server and reports whether that is a change. It
// ignores a server that is not configured.
func (t *Table) SetHealth(ref Ref, h Health) bool {
	state, err := t.find(ref)
	if err != nil || state.health == h {
		return false
	}
	state.health, state.quiesced = h, false
	return true
}

// Health returns the health of a server, Unknown for one that is not configured.
func (t *Table) Health(ref Ref) Health {
	state, err := t.find(ref)
	if err != nil {
		return Unknown
	}
	return state.health
}

// SetCheckWeight sets the weight that the checks of a server want in place of the
// configured one. nil stands for the configured one. by names the check that decided.
// An override of an operator beats it. SetCheckWeight reports whether that is a change.
// It ignores a server that is not configured.
func (t *Table) SetCheckWeight(ref Ref, weight *int, by string) bool {
	state, err := t.find(ref)
	if err != nil {
		return false
	}
	same := weight == state.checked || weight != nil && state.checked != nil && *weight == *state.checked
	state.checked, state.checker = weight, by
	return !same
}

// SetMaster sets whether a group or instance is MASTER on this director and
// reports whether that is a change. At first no group is MASTER.
func (t *Table) SetMaster(group string, master bool) bool {
	if t.masters[group] == master {
		return false
	}
	t.masters[group] = master
	return true
}

// find returns the state of the server of ref, which may have its address in place
// of its name.
func (t *Table) find(ref Ref) (*serverState, error) {
	if t.refs == nil {
		t.indexRefs()
	}
	servers := t.refs[ref.Service]
	if servers == nil {
		return nil, ErrUnknownService
	}
	state := servers[ref.Server]
	if state == nil {
		return nil, ErrUnknownServer
	}
	return state, nil
}

// indexRefs notes the servers by the names of their services, and in them by name and
// by address. A name beats an address.
func (t *Table) indexRefs() {
	t.refs = make(map[string]map[string]*serverState, len(t.services))
	for i := range t.services {
		c := &t.services[i]
		servers := make(map[string]*serverState, len(c.Servers)) // most have no name but their address
		for j := range c.Servers {
			servers[c.Servers[j].name()] = t.servers[c.id(&c.Servers[j])]
		}
		for j := range c.Servers {
			s := &c.Servers[j]
			if a := s.Server.Address; a.IsValid() && servers[a.String()] == nil {
				servers[a.String()] = t.servers[c.id(s)]
			}
		}
		t.refs[c.Name] = servers
	}
}

// is reports whether the server has a name, or an address with its port.
func (c *ServerConfig) is(name string) bool {
	return c.name() == name || c.Server.Address.String() == name
}

// Keys returns the keys of all configured services, those included that are not
// wanted at the moment.
func (t *Table) Keys() []Key {
	keys := make([]Key, 0, len(t.services))
	for i := range t.services {
		keys = append(keys, t.services[i].Keys()...)
	}
	return keys
}

// Shadowed returns, by the name of our service, the ports whose packets it does not
// get because of foreign services. A service with port 0 gets only the packets for
// which the kernel has no service with their port (ip_vs_service_find in
// net/netfilter/ipvs/ip_vs_ctl.c).
func (t *Table) Shadowed(foreign []Key) map[string][]uint16 {
	shadowed := map[string][]uint16{}
	for i := range t.services {
		c := &t.services[i]
		if !t.present(c) {
			continue
		}
		for _, key := range c.Keys() {
			if key.Mark != 0 || key.Address.Port() != 0 {
				continue
			}
			for _, f := range foreign {
				if f.Mark == 0 && f.Protocol == key.Protocol && f.Address.Addr() == key.Address.Addr() {
					shadowed[c.Name] = append(shadowed[c.Name], f.Address.Port())
				}
			}
		}
		slices.Sort(shadowed[c.Name])
	}
	return shadowed
}

// Wanted returns the services that the kernel should hold now.
func (t *Table) Wanted() []Wanted {
	want := make([]Wanted, 0, len(t.services))
	for i := range t.services {
		if t.present(&t.services[i]) {
			want = append(want, t.wanted(&t.services[i])...)
		}
	}
	return want
}

// present reports whether a service should be in the kernel.
func (t *Table) present(c *ServiceConfig) bool {
	switch c.Active {
	case ActiveAlways:
		return true
	case ActiveNever:
		return false
	}
	return t.masters[c.Follow]
}

// wanted returns what the kernel should hold of a service, one element for each of
// its keys.
func (t *Table) wanted(c *ServiceConfig) []Wanted {
	servers := t.wantedServers(c)
	var want []Wanted
	for _, key := range c.Keys() {
		w := Wanted{Service: c.service(key), Servers: make([]Server, len(servers))}
		for i, s := range servers {
			w.Servers[i] = s.under(key)
		}
		slices.SortFunc(w.Servers, byAddress)
		want = append(want, w)
	}
	return want
}

// usable reports whether at least one of the servers gets new connections.
func usable(servers []Server) bool {
	return slices.ContainsFunc(servers, func(s Server) bool { return s.Weight > 0 })
}
