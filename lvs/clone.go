package lvs

import "maps"

// Clone returns a table that knows what t knows and changes without it.
func (t *Table) Clone() *Table {
	c := &Table{services: t.services, masters: maps.Clone(t.masters), servers: make(map[serverID]*serverState, len(t.servers))}
	for id, state := range t.servers {
		s := *state
		c.servers[id] = &s
	}
	return c
}
