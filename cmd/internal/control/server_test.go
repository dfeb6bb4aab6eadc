package control

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/lvs"
)

type fakeBackend struct {
	reloads int
	order   ServerOrder // the last
	err     error
}

func (f *fakeBackend) Status(context.Context) (*status.Status, error) { return sample(), f.err }

// States returns two states after event 1.
func (f *fakeBackend) States(context.Context) ([]event.Event, uint64, error) {
	return []event.Event{
		{Kind: event.KindInstance, Subject: "outside", To: event.Master, Snapshot: true},
		{Kind: event.KindService, Subject: "web", To: event.Up, Snapshot: true},
	}, 1, f.err
}

func (f *fakeBackend) Plan(context.Context) (*Plan, error) {
	return &Plan{Version: 1, Path: "/x.toml", Steps: []Step{{Area: "lvs", Change: Added, Text: "ipvsadm -A -t 10.0.0.1:80"}}}, f.err
}

func (f *fakeBackend) Handover(_ context.Context, name string) (*HandedOver, error) {
	return &HandedOver{Units: []HandedOverUnit{{Name: name, To: "10.0.0.2"}}}, f.err
}

func (f *fakeBackend) Order(_ context.Context, o ServerOrder) (*Servers, error) {
	f.order = o
	return f.Servers(context.Background(), o.Service, o.Server)
}

func (f *fakeBackend) Servers(_ context.Context, service, server string) (*Servers, error) {
	return &Servers{Servers: []status.Server{{Service: service, ServerStatus: lvs.ServerStatus{Name: server}}}}, f.err
}

func (f *fakeBackend) Ack(_ context.Context, pattern, by, comment string) (*Acked, error) {
	return &Acked{Subjects: []string{pattern, by, comment}}, f.err
}

func (f *fakeBackend) Upgrade(context.Context) (*Upgrading, error) {
	return &Upgrading{Path: "/x"}, f.err
}

func (f *fakeBackend) Reload(context.Context) (*Reloaded, error) {
	f.reloads++
	return &Reloaded{Changes: []string{"vrrp outside: priority 100 -> 150"}}, f.err
}

// sample is a status.
func sample() *status.Status {
	return &status.Status{
		Version: status.Version, Director: "lvs1", Now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		VRRP: []status.Instance{{Name: "outside", Family: "ipv4", VRID: 51, Protocol: 3, State: "MASTER", Addresses: []string{"10.0.0.100/24"}}},
	}
}

// serve runs a server on a socket in a directory of the test's.
func serve(t *testing.T, backend Backend, change func(*Server)) (*event.Journal, *Client, string) {
	t.Helper()
	events := event.NewJournal(10, 0)
	a := NewAPI(Options{Backend: backend, Events: events, Log: slog.New(slog.DiscardHandler), Version: VersionInfo{Software: "1.2.3", PID: 812}})
	t.Cleanup(a.Close)
	s := a.NewServer(SocketDoor(OnlyRoot))
	if change != nil {
		change(s)
	}
	path := filepath.Join(t.TempDir(), "control.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket is still there: %v", err)
		}
	})
	return events, NewClient(path), path
}

func TestClientAndServer(t *testing.T) {
	backend := &fakeBackend{}
	_, client, _ := serve(t, backend, nil)
	ctx := t.Context()

	st, err := client.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), st, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	version, err := client.Version(ctx)
	if err != nil || version.Software != "1.2.3" || version.Version != status.Version {
		t.Errorf("version %+v, %v", version, err)
	}
	plan, err := client.Plan(ctx)
	if err != nil || len(plan.Steps) != 1 || plan.Steps[0].Text != "ipvsadm -A -t 10.0.0.1:80" {
		t.Errorf("plan %+v, %v", plan, err)
	}
	reloaded, err := client.Reload(ctx)
	if err != nil || backend.reloads != 1 || len(reloaded.Changes) != 1 {
		t.Errorf("reload %+v, %v, done %d times", reloaded, err, backend.reloads)
	}
}

func TestErrorsOfTheBackendArrive(t *testing.T) {
	_, client, _ := serve(t, &fakeBackend{err: errors.New("x.toml:3: vrrp.vrid: must be 1 to 255\nx.toml:5: <b>")}, nil)
	for verb, ask := range map[string]func() error{
		"status": func() error { _, err := client.Status(t.Context()); return err },
		"plan":   func() error { _, err := client.Plan(t.Context()); return err },
		"reload": func() error { _, err := client.Reload(t.Context()); return err },
	} {
		var refused *RefusedError
		if err := ask(); !errors.As(err, &refused) || refused.Code != 422 || refused.Text != "x.toml:3: vrrp.vrid: must be 1 to 255\nx.toml:5: <b>" {
			t.Errorf("%s: %v", verb, err)
		}
	}
}

func TestWrongQuestions(t *testing.T) {
	backend := &fakeBackend{}
	_, client, _ := serve(t, backend, nil)
	for _, test := range []struct {
		method, what, want string
	}{
		{http.MethodGet, "nothing", "there is no GET /v1/nothing here"},
		{http.MethodGet, "reload", "there is no GET /v1/reload here"},
		{http.MethodPost, "status", "there is no POST /v1/status here"},
		{http.MethodGet, "events?since=-1", `since: "-1" is not the number of an event, a cursor or a time`},
		{http.MethodGet, "events?follow=maybe", `follow must be 1 or 0, not "maybe"`},
	} {
		answer, err := client.request(t.Context(), test.method, test.what)
		if err == nil {
			answer.Body.Close()
		}
		if err == nil || err.Error() != test.want {
			t.Errorf("%s %s: %v, want %s", test.method, test.what, err, test.want)
		}
	}
	if backend.reloads != 0 {
		t.Error("a GET reloaded")
	}
}

func TestWritingIsRefusedToOthers(t *testing.T) {
	backend := &fakeBackend{}
	_, client, _ := serve(t, backend, func(s *Server) {
		s.http.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, &peer{uid: 4711})
		}
	})
	var refused *RefusedError
	if _, err := client.Reload(t.Context()); !errors.As(err, &refused) || refused.Code != http.StatusForbidden || refused.Text != "reload: "+errNotWriter.Error() {
		t.Errorf("reload: %v", err)
	}
	if _, err := client.Status(t.Context()); err != nil {
		t.Errorf("status: %v", err)
	}
	if backend.reloads != 0 {
		t.Error("it was reloaded")
	}
}

// A patientBackend hands over for longer than an answer may take to be read.
type patientBackend struct{ fakeBackend }

func (*patientBackend) Handover(ctx context.Context, name string) (*HandedOver, error) {
	select {
	case <-time.After(3 * writeTimeout):
		return &HandedOver{Units: []HandedOverUnit{{Name: name}}}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A request may take its time, also in a connection whose request before had deadlines.
func TestRequestsMayTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewAPI(Options{Backend: &patientBackend{}, Events: event.NewJournal(10, 0), Log: slog.New(slog.DiscardHandler)}).
			NewServer(Door{API: true, Writer: func(*http.Request) (string, error) { return "root", nil }})
		l := newMemoryListener()
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		connection := &http.Transport{DialContext: l.dial}
		client := NewClient("")
		client.http.Transport = connection
		if _, err := client.Version(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Handover(t.Context(), "outside"); err != nil {
			t.Error(err)
		}
		connection.CloseIdleConnections()
		if err := errors.Join(s.Close(t.Context()), <-served); err != nil {
			t.Error(err)
		}
	})
}
