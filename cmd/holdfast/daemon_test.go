package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/lvs"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// wellStatus is that of a BACKUP on which all is well.
func wellStatus() *status.Status {
	return &status.Status{
		Director: "lvs2", Software: "1.2.3", PID: 812, Started: noon.Add(-time.Hour), Now: noon, Realtime: true,
		Config: status.Config{Path: "/etc/holdfast/holdfast.toml", LoadedAt: noon.Add(-time.Hour)},
		VRRP: []status.Instance{{
			Name: "outside", Interface: "eth0", Device: "vrrp4-51", Family: "ipv4", VRID: 51, Protocol: 3, State: "BACKUP", Since: noon.Add(-time.Minute),
			Priority: 100, EffectivePriority: 100, IntervalMS: 100, Addresses: []string{"10.0.0.100/24"}, Master: &status.Peer{Address: "10.0.0.2", Priority: 150},
		}},
		LVS: &status.LVS{Services: []lvs.ServiceStatus{{
			Name: "web", Service: "tcp 10.0.0.100:80", Scheduler: "wlc", Active: "always", Wanted: true, Present: true, ServersUp: 1, ServersTotal: 1,
			Servers: []lvs.ServerStatus{{Name: "rs1", Address: "192.168.0.11:80", Forward: "nat", Health: "up", Configured: 5, Weight: 5, Present: true}},
		}}},
	}
}

type fakeDaemon struct {
	status *status.Status
	err    error
	empty  bool
	fails  string // why an upgrade that is begun does not come to an end
	events *event.Journal
	order  control.ServerOrder // the last
	active uint32              // connections of every server
}

func (f *fakeDaemon) Status(context.Context) (*status.Status, error) { return f.status, f.err }

func (f *fakeDaemon) States(context.Context) ([]event.Event, uint64, error) {
	return []event.Event{{
		At: noon, Kind: event.KindInstance, Subject: "outside", To: "MASTER", Reason: "the state", Snapshot: true,
	}}, f.events.Last(), f.err
}

func (f *fakeDaemon) Plan(context.Context) (*control.Plan, error) {
	p := &control.Plan{Version: 1, Path: "/etc/holdfast/holdfast.toml", Steps: []control.Step{
		{Area: "holdfast", Change: control.Changed, Text: "change vrrp outside, priority 100 to 150"},
		{Area: "holdfast", Change: control.Removed, Text: "stop vrrp inside"},
		{Area: "lvs", Change: control.Added, Text: "ipvsadm -A -t 10.0.0.100:80 -s wlc"},
	}}
	if f.empty {
		p.Steps = nil
	}
	return p, f.err
}

func (f *fakeDaemon) Handover(_ context.Context, name string) (*control.HandedOver, error) {
	if name == "" {
		name = "director"
	}
	return &control.HandedOver{Units: []control.HandedOverUnit{{Name: name, To: "10.0.0.2", TookMS: 61.4}}}, f.err
}

func (f *fakeDaemon) Order(ctx context.Context, o control.ServerOrder) (*control.Servers, error) {
	f.order = o
	done, err := f.Servers(ctx, o.Service, o.Server)
	if o.Verb == control.Drain {
		done.Notes = []string{"persistent clients go on using the server"}
	}
	return done, err
}

// Servers returns one server, with a connection less each time.
func (f *fakeDaemon) Servers(_ context.Context, service, server string) (*control.Servers, error) {
	s := lvs.ServerStatus{Name: server, Health: "up", Configured: 5, Active: f.active}
	if f.order.Verb == control.Drain {
		s.Override = &lvs.Override{Drained: &lvs.Order{By: "root", Until: noon.Add(f.order.For)}}
	}
	f.active -= min(f.active, 1)
	return &control.Servers{At: noon, Servers: []status.Server{{Service: service, ServerStatus: s}}}, f.err
}

func (f *fakeDaemon) Upgrade(context.Context) (*control.Upgrading, error) {
	if f.fails != "" {
		f.events.Append(event.Event{Kind: event.KindDirector, Reason: f.fails})
	}
	return &control.Upgrading{Path: "/usr/local/sbin/holdfast", PID: 42}, f.err
}

func (f *fakeDaemon) Reload(context.Context) (*control.Reloaded, error) {
	if f.empty {
		return &control.Reloaded{At: noon}, f.err
	}
	return &control.Reloaded{At: noon, Changes: []string{"vrrp outside: priority 100 -> 150", "service web: added"}}, f.err
}

func (f *fakeDaemon) Ack(_ context.Context, pattern, _, comment string) (*control.Acked, error) {
	return &control.Acked{Subjects: []string{pattern}}, f.err
}

// wentDown is an event of a server.
var wentDown = event.Event{At: noon.Add(time.Second), Kind: event.KindServer, Subject: "web/rs1", From: "UP", To: "DOWN", Reason: "connect: connection refused"}

// daemonAt serves the fake on a socket until the test ends, and returns its journal.
func daemonAt(t *testing.T, socket string, fake *fakeDaemon) *event.Journal {
	t.Helper()
	t.Cleanup(serveFake(t, socket, fake,
		event.Event{At: noon, Kind: event.KindInstance, Subject: "outside", From: "BACKUP", To: "MASTER", Reason: "no advert heard for 310ms", Detail: map[string]string{"priority": "150"}},
		wentDown))
	return fake.events
}

// serveFake serves the fake, with a journal of these events, until the function that it
// returns is called.
func serveFake(t *testing.T, socket string, fake *fakeDaemon, history ...event.Event) (stop func()) {
	t.Helper()
	fake.events = event.NewJournal(10, 0)
	for _, e := range history {
		fake.events.Append(e)
	}
	api := control.NewAPI(control.Options{
		Backend: fake, Events: fake.events, Log: slog.New(slog.DiscardHandler),
		Version: control.VersionInfo{Software: "1.2.3", Go: "go1.26.0", PID: 812, Started: noon},
	})
	server := api.NewServer(control.SocketDoor(control.OnlyRoot))
	l, err := control.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	return func() {
		api.Close()
		if err := errors.Join(server.Close(context.Background()), <-served); err != nil {
			t.Error(err)
		}
	}
}
