package lvs

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// Health is what is known of a server.
type Health uint8

// The states of a server's health.
const (
	Unknown Health = iota // nothing was heard yet
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

// A Ref names a server by the names of its configuration.
type Ref struct{ Service, Server string }

// String returns "service/server".
func (r Ref) String() string { return r.Service + "/" + r.Server }

// An Override is what an operator changed at run time.
type Override struct {
	Drained bool // weight 0, whatever else is said
	Weight  *int // instead of the configured weight; nil is none
}

// Errors of the calls that name a server.
var (
	ErrUnknownService = errors.New("no such service is configured")
	ErrUnknownServer  = errors.New("the service has no such server")
)

// A Table knows the configured services, the health of their servers, which
// groups are MASTER and what an operator overrode, and says what the kernel
// should hold. It is not safe for concurrent use.
type Table struct {
	services []ServiceConfig
	masters  map[string]bool
	servers  map[serverID]*serverState
}

// A serverID is what a server's state hangs on: giving it another name is no
// reason to forget its health, giving it another address is.
type serverID struct {
	service string
	address netip.AddrPort
}

type serverState struct {
	health   Health
	held     bool // the kernel had it with weight 0 when we came
	override Override
}

// NewTable returns an empty table.
func NewTable() *Table {
	return &Table{masters: make(map[string]bool), servers: make(map[serverID]*serverState)}
}

// Configure replaces the configuration. A server keeps its health and its
// override as long as its service keeps its name and itself its address; an
// overridden weight gives way when the configured weight changes. The services
// must be valid ([ServiceConfig.Validate]); two with one name or one key are an
// error, and then nothing changes.
//
// A new server's health is Unknown (Up with StartsUp). Call [Table.Adopt]
// next, so that servers that are in use already stay in use.
func (t *Table) Configure(services []ServiceConfig) error {
	if err := distinct(services); err != nil {
		return err
	}
	former := t.weights()
	states := make(map[serverID]*serverState)
	for i := range services {
		for j := range services[i].Servers {
			c := &services[i].Servers[j]
			id := services[i].id(c)
			state := t.servers[id]
			switch {
			case state == nil && c.StartsUp:
				state = &serverState{health: Up}
			case state == nil:
				state = &serverState{}
			case former[id] != c.Server.Weight:
				state.override.Weight = nil
			}
			states[id] = state
		}
	}
	t.services, t.servers = slices.Clone(services), states
	return nil
}

func distinct(services []ServiceConfig) error {
	names, keys := make(map[string]bool), make(map[Key]string)
	for i := range services {
		name, key := services[i].Name, services[i].Service.Key.Canonical()
		if names[name] {
			return fmt.Errorf("configure services: two are named %q", name)
		}
		if other, ok := keys[key]; ok {
			return fmt.Errorf("configure services: %q and %q are both %v", other, name, key)
		}
		names[name], keys[key] = true, name
	}
	return nil
}

func (c *ServiceConfig) id(s *ServerConfig) serverID {
	return serverID{c.Name, s.Server.Canonical().Address}
}

// weights returns the configured weight of every server.
func (t *Table) weights() map[serverID]int {
	w := make(map[serverID]int, len(t.servers))
	for i := range t.services {
		for j := range t.services[i].Servers {
			s := &t.services[i].Servers[j]
			w[t.services[i].id(s)] = s.Server.Weight
		}
	}
	return w
}

// Clone returns a table that knows what t knows and goes its own way from
// there: to try a configuration out.
func (t *Table) Clone() *Table {
	c := &Table{
		services: slices.Clone(t.services),
		masters:  maps.Clone(t.masters),
		servers:  make(map[serverID]*serverState, len(t.servers)),
	}
	for id, state := range t.servers {
		state := *state
		c.servers[id] = &state
	}
	return c
}

// Adopt takes over what the kernel holds: a server of unknown health that the
// kernel uses counts as Up until a check says otherwise, one that it holds with
// weight 0 stays there with weight 0 until then. So a restart, or a service
// that is given another name, takes nothing out of service.
func (t *Table) Adopt(have []Wanted) {
	held := make(map[Key][]Server, len(have))
	for _, h := range have {
		held[h.Service.Key] = h.Servers
	}
	for i := range t.services {
		c := &t.services[i]
		for _, s := range held[c.Service.Key.Canonical()] {
			state := t.servers[serverID{c.Name, s.Address}]
			if state == nil || state.health != Unknown {
				continue
			}
			if s.Weight > 0 {
				state.health = Up
			} else {
				state.held = true
			}
		}
	}
}

// SetHealth notes what a check found and reports whether that changes
// anything. A server that is not configured (any more) changes nothing.
func (t *Table) SetHealth(ref Ref, h Health) bool {
	state, err := t.find(ref)
	if err != nil || state.health == h {
		return false
	}
	state.health, state.held = h, false
	return true
}

// Health returns what is known of a server; of one that is not configured,
// nothing is.
func (t *Table) Health(ref Ref) Health {
	state, err := t.find(ref)
	if err != nil {
		return Unknown
	}
	return state.health
}

// SetMaster notes whether a group (or instance) is MASTER here and reports
// whether that changes anything. A group of which nothing was said is not.
func (t *Table) SetMaster(group string, master bool) bool {
	if t.masters[group] == master {
		return false
	}
	t.masters[group] = master
	return true
}

// Drain gives a server weight 0 until Enable: its connections live on, no new
// ones come. The error is ErrUnknownService or ErrUnknownServer.
func (t *Table) Drain(ref Ref) error {
	return t.override(ref, func(o *Override) { o.Drained = true })
}

// Enable takes back Drain and SetWeight.
func (t *Table) Enable(ref Ref) error {
	return t.override(ref, func(o *Override) { *o = Override{} })
}

// SetWeight replaces the configured weight of a server, 0 to MaxWeight, until
// Enable or until the configured weight changes.
func (t *Table) SetWeight(ref Ref, weight int) error {
	if weight < 0 || weight > MaxWeight {
		return fmt.Errorf("set weight of %v: must be 0 to %d, not %d", ref, MaxWeight, weight)
	}
	return t.override(ref, func(o *Override) { o.Weight = &weight })
}

// Overrides returns what operators changed, so that it can be kept over a
// restart; SetOverride puts it back.
func (t *Table) Overrides() map[Ref]Override {
	all := make(map[Ref]Override)
	for i := range t.services {
		c := &t.services[i]
		for j := range c.Servers {
			s := &c.Servers[j]
			if o := t.servers[c.id(s)].override; o != (Override{}) {
				all[Ref{c.Name, s.name()}] = o
			}
		}
	}
	return all
}

// SetOverride replaces the override of a server.
func (t *Table) SetOverride(ref Ref, o Override) error {
	return t.override(ref, func(old *Override) { *old = o })
}

func (t *Table) override(ref Ref, change func(*Override)) error {
	state, err := t.find(ref)
	if err != nil {
		return fmt.Errorf("server %v: %w", ref, err)
	}
	change(&state.override)
	return nil
}

// find returns the state of the server that ref names: by its name or by its address.
func (t *Table) find(ref Ref) (*serverState, error) {
	for i := range t.services {
		c := &t.services[i]
		if c.Name != ref.Service {
			continue
		}
		for j := range c.Servers {
			s := &c.Servers[j]
			if s.name() == ref.Server || s.Server.Address.String() == ref.Server {
				return t.servers[c.id(s)], nil
			}
		}
		return nil, ErrUnknownServer
	}
	return nil, ErrUnknownService
}

// Keys returns the keys of all configured services, those included that are
// not wanted at the moment: they are ours.
func (t *Table) Keys() []Key {
	keys := make([]Key, 0, len(t.services))
	for i := range t.services {
		keys = append(keys, t.services[i].Service.Key.Canonical())
	}
	return keys
}

// Wanted returns what the kernel should hold of our services.
func (t *Table) Wanted() []Wanted {
	want := make([]Wanted, 0, len(t.services))
	for i := range t.services {
		if t.present(&t.services[i]) {
			want = append(want, t.wanted(&t.services[i]))
		}
	}
	return want
}

// present tells whether a service should be in the kernel.
func (t *Table) present(c *ServiceConfig) bool {
	return c.Active == ActiveAlways || t.masters[c.Follow]
}

func (t *Table) wanted(c *ServiceConfig) Wanted {
	w := Wanted{Service: c.Service.Canonical(), Servers: make([]Server, 0, len(c.Servers)+1)}
	for i := range c.Servers {
		state := t.servers[c.id(&c.Servers[i])]
		if s, in := state.server(c.Servers[i].Server.Canonical(), c.OnDown); in {
			w.Servers = append(w.Servers, s)
		}
	}
	if c.Fallback.IsValid() && !usable(w.Servers) {
		w.Servers = append(w.Servers, c.fallback())
	}
	slices.SortFunc(w.Servers, byAddress)
	return w
}

// server returns s with the weight it should have, and whether it should be
// in the table.
func (st *serverState) server(s Server, onDown OnDown) (Server, bool) {
	switch {
	case st.health == Up:
		s.Weight = st.weight(s.Weight)
		return s, true
	case st.health == Down && onDown == Quiesce, st.held:
		s.Weight = 0
		return s, true
	}
	return s, false
}

// weight returns the weight of a server that is up, given the configured one.
func (st *serverState) weight(configured int) int {
	switch {
	case st.override.Drained:
		return 0
	case st.override.Weight != nil:
		return *st.override.Weight
	}
	return configured
}

// usable reports whether one of the servers takes new connections.
func usable(servers []Server) bool {
	return slices.ContainsFunc(servers, func(s Server) bool { return s.Weight > 0 })
}
