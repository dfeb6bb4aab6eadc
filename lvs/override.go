package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// An Order says who changed a server at run time, when, and until when.
type Order struct {
	By    string    `json:"by"` // for people
	At    time.Time `json:"at"`
	Until time.Time `json:"until,omitzero"` // zero: until somebody takes it back
}

// over reports whether the order has ended.
func (o *Order) over(now time.Time) bool { return !o.Until.IsZero() && !now.Before(o.Until) }

// A WeightOrder is an order to replace the weight of a server.
type WeightOrder struct {
	Order
	Weight int `json:"weight"`
}

// An Override is an operator's change of a server at run time.
type Override struct {
	Drained *Order       `json:"drained,omitempty"` // the weight is 0, even if Weight is set
	Weight  *WeightOrder `json:"weight,omitempty"`  // replaces the configured weight
}

// Drain gives a server weight 0 until Enable or the end of the order: it keeps its
// connections and gets no new ones. The error wraps ErrUnknownService or
// ErrUnknownServer.
func (t *Table) Drain(ref Ref, o Order) error {
	return t.override(ref, func(old *Override) { old.Drained = &o })
}

// Enable undoes Drain and SetWeight. The error is as for Drain. A file of the
// maintenance directory goes on draining the server.
func (t *Table) Enable(ref Ref) error {
	return t.override(ref, func(o *Override) { *o = Override{} })
}

// SetWeight sets a weight of 0 to MaxWeight in place of the configured one, until
// Enable, until the end of the order or until the configured weight changes. The
// error says that the weight is out of range, or is as for Drain.
func (t *Table) SetWeight(ref Ref, weight int, o Order) error {
	if weight < 0 || weight > MaxWeight {
		return fmt.Errorf("set weight of %v: must be 0 to %d, not %d", ref, MaxWeight, weight)
	}
	return t.override(ref, func(old *Override) { old.Weight = &WeightOrder{o, weight} })
}

// Override returns the override of a server; the zero Override if it is not
// configured.
func (t *Table) Override(ref Ref) Override {
	state, err := t.find(ref)
	if err != nil {
		return Override{}
	}
	return state.override
}

func (t *Table) override(ref Ref, change func(*Override)) error {
	state, err := t.find(ref)
	if err != nil {
		return fmt.Errorf("server %v: %w", ref, err)
	}
	change(&state.override)
	return nil
}

// expire ends the orders of a server that are over, and returns them.
func (st *serverState) expire(now time.Time) (ended Override) {
	if o := st.override.Drained; o != nil && o.over(now) {
		ended.Drained, st.override.Drained = o, nil
	}
	if o := st.override.Weight; o != nil && o.over(now) {
		ended.Weight, st.override.Weight = o, nil
	}
	return ended
}

// until returns when the next order of a server ends; zero if none does.
func (st *serverState) until() time.Time {
	var end time.Time
	if o := st.override.Drained; o != nil {
		end = o.Until
	}
	if o := st.override.Weight; o != nil {
		end = sooner(end, o.Until)
	}
	return end
}

// sooner returns the earlier of two times, of which zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Files are the names of the files in the maintenance directory, with the addresses
// that a name stands for if it is that of a host.
type Files map[string][]netip.Addr

// A FileChange is that a file begins or ends to drain a server.
type FileChange struct {
	Ref      Ref
	Was, Now string // the file; "": none
}

// Maintain drains the servers that a file is named after, and no others: by their
// name, their address with or without the port, or a name of their host. It returns
// which servers that changes, in the order of the configuration.
func (t *Table) Maintain(files Files) []FileChange {
	t.files = files
	var changes []FileChange
	for i := range t.services {
		c := &t.services[i]
		for j := range c.Servers {
			s := &c.Servers[j]
			state, now := t.servers[c.id(s)], files.of(s)
			if state.file != now {
				changes = append(changes, FileChange{Ref{c.Name, s.name()}, state.file, now})
				state.file = now
			}
		}
	}
	return changes
}

// of returns the file of a server; "" if there is none. Of several it is the first by
// name.
func (f Files) of(s *ServerConfig) string {
	if len(f) == 0 {
		return ""
	}
	a := s.Server.Canonical().Address
	found := ""
	for name, hosts := range f {
		if (s.is(name) || a.Addr().String() == name || slices.Contains(hosts, a.Addr())) && (found == "" || name < found) {
			found = name
		}
	}
	return found
}

// Unused returns the files after which no server is named, sorted.
func (t *Table) Unused(files Files) []string {
	var unused []string
	for name, hosts := range files {
		one := Files{name: hosts}
		named := slices.ContainsFunc(t.services, func(c ServiceConfig) bool {
			return slices.ContainsFunc(c.Servers, func(s ServerConfig) bool { return one.of(&s) != "" })
		})
		if !named {
			unused = append(unused, name)
		}
	}
	slices.Sort(unused)
	return unused
}

// AllServices stands for every service in Match, unless a service has that name.
const AllServices = "all"

// Match returns the servers that an operator means. service is the name of a service
// or AllServices. server is the name of a server, its address, or its address with the
// port. The error wraps ErrUnknownService or ErrUnknownServer and says what there is.
func (t *Table) Match(service, server string) ([]Ref, error) {
	services := t.services
	place, known := t.places[service]
	switch {
	case known:
		services = t.services[place : place+1]
	case service != AllServices:
		return nil, fmt.Errorf("service %q: %w; %s", service, ErrUnknownService, thereAre("services", t.serviceNames()))
	}
	var refs []Ref
	var names []string
	for i := range services {
		c := &services[i]
		for j := range c.Servers {
			s := &c.Servers[j]
			names = append(names, s.name())
			if s.is(server) || s.Server.Canonical().Address.Addr().String() == server {
				refs = append(refs, Ref{c.Name, s.name()})
			}
		}
	}
	switch {
	case len(refs) > 0:
		return refs, nil
	case !known:
		return nil, fmt.Errorf("server %q: %w", server, ErrUnknownServer)
	}
	return nil, fmt.Errorf("service %s, server %q: %w; %s", service, server, ErrUnknownServer, thereAre("servers", names))
}

// Concerns reports whether a change is one of a server, or adds its service.
func (t *Table) Concerns(o *Op, ref Ref) bool {
	place, ok := t.places[ref.Service]
	if !ok || !slices.Contains(t.services[place].Keys(), o.Service.Key) {
		return false
	}
	return o.Verb == AddService || o.Verb.Server() && slices.ContainsFunc(t.services[place].Servers, func(s ServerConfig) bool {
		return s.is(ref.Server) && s.Server.under(o.Service.Key).Address == o.Server.Address
	})
}

func (t *Table) serviceNames() []string {
	names := make([]string, len(t.services))
	for i := range t.services {
		names[i] = t.services[i].Name
	}
	return names
}

// thereAre lists names in words, the first ones of many.
func thereAre(what string, names []string) string {
	const most = 10
	switch {
	case len(names) == 0:
		return "there are no " + what
	case len(names) > most:
		return fmt.Sprintf("the first of %d %s are %s", len(names), what, strings.Join(names[:most], ", "))
	}
	return fmt.Sprintf("the %s are %s", what, strings.Join(names, ", "))
}
