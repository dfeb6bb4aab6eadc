package lvs_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/lvs"
)

func TestStatusJoinsNamesAndCounters(t *testing.T) {
	c := web()
	c.Active, c.Follow = lvs.ActiveMaster, "director"
	table := table(t, c)
	table.SetHealth(rs1, lvs.Down)
	table.SetMaster("director", true)
	must(t, table.Drain(rs2))
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
		Wanted: true, Present: true, OnFallback: true, ServersTotal: 2, Counters: counters,
		Servers: []lvs.ServerStatus{
			{Name: "rs1", Address: "192.168.0.11:80", Forward: "nat", Health: "down", Configured: 5},
			{Name: "192.168.0.12:80", Address: "192.168.0.12:80", Forward: "nat", Health: "unknown", Configured: 3, Present: true, Drained: true},
			{Name: "fallback", Address: "192.168.0.1:8080", Forward: "nat", Configured: 1, Weight: 1, Present: true, Fallback: true, Active: 3, Inactive: 4, Persistent: 5, Counters: counters},
		},
	}, {
		Service: "tcp 10.9.9.9:9", Scheduler: "wlc", Active: "always", Present: true, Foreign: true, ServersTotal: 1,
		Servers: []lvs.ServerStatus{{Name: "10.9.9.10:9", Address: "10.9.9.10:9", Forward: "nat", Health: "unknown", Configured: 4, Weight: 4, Present: true, Active: 2}},
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
