package lvs

import (
	"net/netip"
	"time"
)

// A Memory is what a later run knows of this one, in a form for files.
type Memory struct {
	Overrides []SavedOverride `json:"overrides,omitempty"`
	// Services says of those that are known whether they are up, by name. Rises are the
	// servers that rise.
	Services map[string]bool `json:"services,omitempty"`
	Rises    []SavedRise     `json:"rises,omitempty"`
}

// A SavedServer identifies a server over a change of its name.
type SavedServer struct {
	Service string         `json:"service"`
	Address netip.AddrPort `json:"address"`
	Name    string         `json:"name,omitempty"` // of a server without an address
}

// A SavedOverride is the override of a server.
type SavedOverride struct {
	SavedServer
	Override
}

// A SavedRise is when a server began to rise.
type SavedRise struct {
	SavedServer
	Since time.Time `json:"since"`
}

// Memory returns what a later run should know, in the order of the configuration.
func (t *Table) Memory() Memory {
	m := Memory{Services: make(map[string]bool)}
	for i := range t.services {
		c := &t.services[i]
		if h := t.quorums[c.Name].health; h != Unknown {
			m.Services[c.Name] = h == Up
		}
		for j := range c.Servers {
			id := c.id(&c.Servers[j])
			state, saved := t.servers[id], id.saved()
			if state.override != (Override{}) {
				m.Overrides = append(m.Overrides, SavedOverride{saved, state.override})
			}
			if !state.rise.since.IsZero() {
				m.Rises = append(m.Rises, SavedRise{saved, state.rise.since})
			}
		}
	}
	return m
}

func (id serverID) saved() SavedServer { return SavedServer{id.service, id.address, id.name} }

// Recall has the first Configure take over what a former run knew of the services and
// servers that are configured.
func (t *Table) Recall(m Memory) { t.recalled = &m }

// server takes over what is known of a server.
func (m *Memory) server(id serverID, state *serverState) {
	is := id.saved()
	for i := range m.Overrides {
		if m.Overrides[i].SavedServer == is {
			state.override = m.Overrides[i].Override
		}
	}
	for i := range m.Rises {
		if m.Rises[i].SavedServer == is {
			state.rise.since = m.Rises[i].Since
		}
	}
}

// service takes over what is known of a service.
func (m *Memory) service(name string, q *quorum) {
	if up, known := m.Services[name]; known {
		q.up, q.health = up, Down
		if up {
			q.health = Up
		}
	}
}
