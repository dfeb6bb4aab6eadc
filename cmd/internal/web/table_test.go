package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// apply is what the script of the page does with a change (assets/store.js).
func (c *change) apply(order []string, rows map[string]string) []string {
	for key, value := range c.Rows {
		rows[key] = string(value)
	}
	if c.Order == nil && !c.Emptied {
		return order
	}
	maps.DeleteFunc(rows, func(key string, _ string) bool { return !slices.Contains(c.Order, key) })
	return c.Order
}

// A reader that applies all changes always has the table, over random changes.
func TestChangesLeadToTheTable(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var old table
	var order []string
	rows := map[string]string{}
	for range 2000 {
		var next table
		for _, k := range random.Perm(random.IntN(6)) {
			next.add(fmt.Sprint("k", k), random.IntN(2))
		}
		if c := next.diff(&old); c != nil {
			text, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			var sent change
			if err := json.Unmarshal(text, &sent); err != nil {
				t.Fatal(err)
			}
			order = sent.apply(order, rows)
		}
		want := map[string]string{}
		for _, r := range next.rows {
			want[r.key] = string(r.value)
		}
		if !slices.Equal(order, next.keys()) || !maps.Equal(rows, want) {
			t.Fatalf("a reader has %v %v, the table is %v %v", order, rows, next.keys(), want)
		}
		old = next
	}
}

// Only rows that differ are sent.
func TestChangeIsSmall(t *testing.T) {
	old, next := table{name: "t"}, table{name: "t"}
	for i := range 3 {
		old.add(fmt.Sprint(i), 1)
		next.add(fmt.Sprint(i), 1+i/2)
	}
	want := &change{Rows: map[string]json.RawMessage{"2": json.RawMessage("2")}}
	if diff := cmp.Diff(want, next.diff(&old)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c := next.diff(&next); c != nil {
		t.Errorf("a table differs from itself: %v", c)
	}
}
