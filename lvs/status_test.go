package lvs_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/lvs"
)

func TestStatusJoinsNamesAndCounters(t *testing.T) {
	c := web()
	c.Active, c.Follow = lvs.ActiveMaster, "director"
	table := table(t, c)
	table.SetHealth(rs1, lvs.Down)
	table.SetMaster("director", true)
	must(t, table.Drain(rs2, order))
	fallback := nat("192.168.0.1:8080", 1)
	counters := lvs.Counters{Connections: 1 << 40, BytesOut: 1 << 50}
	status := table.Status([]lvs.Usage{
		{Service: tcp("10.9.9.9:9"), Servers: []lvs.ServerUsage{{Server: nat("10.9.9.10:9", 4), Active: 2}}},
		{Service: tcp("10.0.0.1:80"), Counters: counters, Servers: []lvs.ServerUsage{
			{Server: fallback, Active: 3, Inactive: 4, Persistent: 5, Counters: counters},
			{Server: nat("192.168.0.12:80", 0)},
		}},
	})
	want := []lvs.ServiceStatus{{
		Name: "web", Service: "tcp 10.0.0.1:80", Scheduler: "wlc", Active: "master", Follow: "director",
		Wanted: true, Present: true, OnFallback: true, ServersTotal: 2, Health: "unknown", Quorum: 1, Counters: counters,
		Servers: []lvs.ServerStatus{
			{Name: "rs1", Address: "192.168.0.11:80", Forward: "nat", Health: "down", Configured: 5, Effective: 5, WeightFrom: lvs.FromConfig},
			{Name: "192.168.0.12:80", Address: "192.168.0.12:80", Forward: "nat", Health: "unknown", Configured: 3, WeightFrom: lvs.FromOperator, Present: true, Drained: true, Override: &lvs.Override{Drained: &order}},
			{Name: "fallback", Address: "192.168.0.1:8080", Forward: "nat", Configured: 1, Effective: 1, WeightFrom: lvs.FromConfig, Weight: 1, Present: true, Fallback: true, Active: 3, Inactive: 4, Persistent: 5, Counters: counters},
		},
	}, {
		Service: "tcp 10.9.9.9:9", Scheduler: "wlc", Active: "always", Present: true, Foreign: true, ServersTotal: 1, Health: "unknown",
		Servers: []lvs.ServerStatus{{Name: "10.9.9.10:9", Address: "10.9.9.10:9", Forward: "nat", Health: "unknown", Configured: 4, Effective: 4, WeightFrom: lvs.FromConfig, Weight: 4, Present: true, Active: 2}},
	}}
	if diff := cmp.Diff(want, status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestStatusWithoutAKernel(t *testing.T) {
	status := table(t, web()).Status(nil)
	if len(status) != 1 || status[0].Present || !status[0].Wanted || len(status[0].Servers) != 2 {
		t.Errorf("got %+v", status)
	}
}

// The status has all parameters, and those of the kernel rather than the configured
// ones.
func TestStatusHasTheParameters(t *testing.T) {
	far := lvs.Server{
		Address: ap("203.0.113.11:80"), Forward: lvs.TUN, Weight: 1 << 20, Upper: 100, Lower: 50,
		Tunnel: lvs.Tunnel{Type: lvs.GUE, Port: 5555, RemoteChecksum: true},
	}
	service := tcp("10.0.0.1:80")
	service.Scheduler, service.Flags = "sh", lvs.FlagSched2
	service.Persistence, service.PersistPrefix = 5*time.Minute, 24
	configured := lvs.ServiceConfig{Name: "web", Service: tcp("10.0.0.1:80"), Servers: []lvs.ServerConfig{{Server: nat("203.0.113.11:80", 1)}}}
	got := table(t, configured).Status([]lvs.Usage{{Service: service.Canonical(), Servers: []lvs.ServerUsage{{Server: far}}}})
	want := []lvs.ServiceStatus{{
		Name: "web", Service: "tcp 10.0.0.1:80", Scheduler: "sh", Active: "always", Wanted: true, Present: true, ServersTotal: 1, Health: "unknown", Quorum: 1,
		PersistSecs: 300, PersistPrefix: 24, Flags: []string{"sh-port"},
		Servers: []lvs.ServerStatus{{
			Name: "203.0.113.11:80", Address: "203.0.113.11:80", Forward: "tun", Health: "unknown", Configured: 1, Effective: 1, WeightFrom: lvs.FromConfig,
			Weight: 1 << 20, Present: true,
			Upper: 100, Lower: 50, Tunnel: "gue", TunnelPort: 5555, TunnelChecksum: "remote",
		}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// The status says which weight a server has while it is up, and whose it is.
func TestStatusSaysWhoseWeightItIs(t *testing.T) {
	table := table(t, web())
	weight := func(n int) *int { return &n }
	want := func(when string, effective int, from lvs.WeightSource, by string) {
		t.Helper()
		s := table.Status(nil)[0].Servers[0]
		if s.Configured != 5 || s.Effective != effective || s.WeightFrom != from || s.WeightBy != by {
			t.Errorf("%s: %+v", when, s)
		}
	}
	want("at first", 5, lvs.FromConfig, "")
	table.SetCheckWeight(rs1, weight(2), "web/rs1#agent")
	want("a check lowers it", 2, lvs.FromCheck, "web/rs1#agent")
	must(t, table.SetWeight(rs1, 9, order))
	want("an operator sets it", 9, lvs.FromOperator, "")
	must(t, table.Drain(rs1, order))
	want("an operator drains", 0, lvs.FromOperator, "")
	must(t, table.Enable(rs1))
	want("an operator is done", 2, lvs.FromCheck, "web/rs1#agent")
	table.SetCheckWeight(rs1, nil, "")
	want("no check says one", 5, lvs.FromConfig, "")
}
