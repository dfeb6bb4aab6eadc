package lvs_test

import (
	"encoding/json"
	"testing"
	"time"

	"holdfast/lvs"
)

// A service that is only checked has nothing in the kernel, and its servers are told
// apart by their names.
func TestServiceThatIsOnlyChecked(t *testing.T) {
	hosts := lvs.ServiceConfig{Name: "hosts", Active: lvs.ActiveNever, Quorum: 2, Servers: []lvs.ServerConfig{
		{Name: "www1", Server: lvs.Server{Weight: 1}}, {Name: "www2", Server: lvs.Server{Weight: 1}},
	}}
	if err := hosts.Validate(); err != nil {
		t.Fatal(err)
	}
	table := lvs.NewTable()
	if err := table.Configure([]lvs.ServiceConfig{hosts}); err != nil {
		t.Fatal(err)
	}
	one, two := lvs.Ref{Service: "hosts", Server: "www1"}, lvs.Ref{Service: "hosts", Server: "www2"}
	table.SetHealth(one, lvs.Up)
	table.SetHealth(two, lvs.Up)
	table.Step(time.Now())
	if h := table.ServiceHealth("hosts"); h != lvs.Up {
		t.Errorf("both are up: %v", h)
	}
	table.SetHealth(two, lvs.Down)
	if table.Health(one) != lvs.Up {
		t.Error("the servers are one")
	}
	changes := table.Step(time.Now())
	if len(changes.Services) != 1 || changes.Services[0].Now != lvs.Down {
		t.Errorf("changes %+v", changes)
	}
	if len(table.Keys()) > 0 || len(table.Wanted()) > 0 {
		t.Errorf("keys %v, wanted %v", table.Keys(), table.Wanted())
	}
	s := table.Status(nil)[0]
	if s.Active != "never" || s.Present || s.Wanted || s.Service != "" || s.Scheduler != "" || s.ServersUp != 1 || s.Health != "down" {
		t.Errorf("status %+v", s)
	}
	if r := s.Servers[1]; r.Name != "www2" || r.Address != "" || r.Forward != "" {
		t.Errorf("server %+v", r)
	}
	if err := table.Drain(two, lvs.Order{By: "test"}); err != nil {
		t.Fatal(err)
	}
	recall(t, table.Memory(), hosts, two)
}

// recall checks that a later run drains the server that this one drained.
func recall(t *testing.T, m lvs.Memory, c lvs.ServiceConfig, drained lvs.Ref) {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var read lvs.Memory
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	later := lvs.NewTable()
	later.Recall(read)
	if err := later.Configure([]lvs.ServiceConfig{c}); err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Servers {
		ref := lvs.Ref{Service: c.Name, Server: s.Name}
		if got := later.Override(ref).Drained != nil; got != (ref == drained) {
			t.Errorf("%v drained: %v", ref, got)
		}
	}
}
