package web

import (
	"bytes"
	"encoding/json"
	"slices"
)

// A table is a list of rows that the page shows or counts.
type table struct {
	name string
	rows []row
}

// A row has a key that is unique in its table.
type row struct {
	key   string
	value json.RawMessage
}

func (t *table) add(key string, value any) { t.rows = append(t.rows, row{key, encode(value)}) }

func (t *table) keys() []string {
	keys := make([]string, len(t.rows))
	for i := range t.rows {
		keys[i] = t.rows[i].key
	}
	return keys
}

// A change of a table is what turns it into another one.
type change struct {
	// Order has the keys of all rows, if rows came, went or changed places.
	Order []string `json:"order,omitempty"`
	// Emptied says that no row is left: Order would be empty.
	Emptied bool                       `json:"emptied,omitempty"`
	Rows    map[string]json.RawMessage `json:"rows,omitempty"` // those that are new or have changed
}

// diff returns what turns old into t; nil if they are equal.
func (t *table) diff(old *table) *change {
	was := make(map[string]json.RawMessage, len(old.rows))
	for i := range old.rows {
		was[old.rows[i].key] = old.rows[i].value
	}
	c := change{Rows: map[string]json.RawMessage{}}
	for i := range t.rows {
		r := &t.rows[i]
		if before, ok := was[r.key]; !ok || !bytes.Equal(before, r.value) {
			c.Rows[r.key] = r.value
		}
	}
	if keys := t.keys(); !slices.Equal(keys, old.keys()) {
		c.Order, c.Emptied = keys, len(keys) == 0
	} else if len(c.Rows) == 0 {
		return nil
	}
	return &c
}

// diffAll returns the changes of all tables that have changed, by name. old is nil or
// has the same tables.
func diffAll(old, tables []table) map[string]*change {
	changes := map[string]*change{}
	for i := range tables {
		before := &table{}
		if old != nil {
			before = &old[i]
		}
		if c := tables[i].diff(before); c != nil {
			changes[tables[i].name] = c
		}
	}
	return changes
}
