package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

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

func (f *fakeBackend) Ack(_ context.Context, pattern, by string) (*Acked, error) {
	return &Acked{Subjects: []string{pattern, by}}, f.err
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
		{http.MethodGet, "nothing", "this daemon has no GET /v1/nothing"},
		{http.MethodGet, "reload", "this daemon has no GET /v1/reload"},
		{http.MethodPost, "status", "this daemon has no POST /v1/status"},
		{http.MethodGet, "events?since=-1", `since must be the number of an event, not "-1"`},
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

func TestWhoMayWrite(t *testing.T) {
	user := &peer{uid: 1001, groups: []uint32{1001, 27}}
	for _, test := range []struct {
		name    string
		peer    *peer
		self    int
		writers func() (uint32, bool)
		want    bool
	}{
		{"root", &peer{}, 1000, OnlyRoot, true},
		{"the daemon's user", &peer{uid: 1000}, 1000, OnlyRoot, true},
		{"another user", user, 1000, OnlyRoot, false},
		{"another user, daemon of root", user, 0, OnlyRoot, false},
		{"a member of the group", user, 0, func() (uint32, bool) { return 27, true }, true},
		{"a member of another group", user, 0, func() (uint32, bool) { return 28, true }, false},
		{"nobody knows who", nil, 0, func() (uint32, bool) { return 0, true }, false},
	} {
		gid, ok := test.writers()
		if got := test.peer.mayWrite(test.self, gid, ok); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestPeerIsKnown(t *testing.T) {
	l, err := Listen(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", l.path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, _ := withPeer(t.Context(), conn).Value(peerKey{}).(*peer)
	if got == nil || got.uid != uint32(os.Geteuid()) {
		t.Fatalf("peer %v, want uid %d", got, os.Geteuid())
	}
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, gid := range append(groups, os.Getegid()) {
		if !slices.Contains(got.groups, uint32(gid)) {
			t.Errorf("groups %v, want %v too", got.groups, gid)
		}
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

func TestEventsOverTheSocket(t *testing.T) {
	events, client, _ := serve(t, &fakeBackend{}, nil)
	events.Append(event.Event{Kind: event.KindServer, Subject: "web/<rs1>"})
	events.Append(event.Event{Kind: event.KindGroup})
	var got []string
	for e, err := range client.Events(t.Context(), 1, false) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, describe([]event.Event{e}))
	}
	if strings.Join(got, ", ") != "2 group" {
		t.Errorf("since 1: %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got = nil
	for e, err := range client.Events(ctx, 0, true) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, describe([]event.Event{e}))
		if e.Seq == 2 {
			events.Append(event.Event{Kind: event.KindRepair})
		}
		if e.Seq == 3 {
			cancel()
		}
	}
	if strings.Join(got, ", ") != "1 server, 2 group, 3 repair" {
		t.Errorf("followed: %v", got)
	}
}

// A follower must not keep the daemon from stopping, and must learn of the end.
func TestCloseEndsFollowers(t *testing.T) {
	var server *Server
	events, client, _ := serve(t, &fakeBackend{}, func(s *Server) { server = s })
	events.Append(event.Event{Kind: event.KindServer})
	var last error
	for e, err := range client.Events(t.Context(), 0, true) {
		if last = err; e.Seq == 1 {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if err := server.Close(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if last == nil || !strings.Contains(last.Error(), "ended the stream") {
		t.Errorf("the stream ended with %v", last)
	}
}

// A follower of a daemon that is upgraded continues with the new binary. It misses
// no event and reads none twice.
func TestFollowersGoOn(t *testing.T) {
	old := event.NewJournal(10, 0)
	path := filepath.Join(t.TempDir(), "control.sock")
	run := func(events *event.Journal) (leave func()) {
		s := NewAPI(Options{Backend: &fakeBackend{}, Events: events, Log: slog.New(slog.DiscardHandler)}).NewServer(SocketDoor(OnlyRoot))
		l, err := Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		return func() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if err := errors.Join(s.Leave(ctx), <-served); err != nil {
				t.Error(err)
			}
		}
	}
	leave := run(old)
	old.Append(event.Event{Kind: event.KindServer})
	var got []string
	for e, err := range NewClient(path).Events(t.Context(), 0, true) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, describe([]event.Event{e}))
		if e.Seq == 1 {
			leave()
			old.Append(event.Event{Kind: event.KindGroup}) // which nobody can read there any more
			young := event.NewJournal(10, old.Last())
			if err := young.Prepend(old.Since(0)); err != nil {
				t.Fatal(err)
			}
			leave = run(young)
			young.Append(event.Event{Kind: event.KindDirector})
		}
		if e.Seq == 3 {
			break
		}
	}
	leave()
	if strings.Join(got, ", ") != "1 server, 2 group, 3 director" {
		t.Errorf("followed: %v", got)
	}
}

// A follower gives up when the daemon does not return in time.
func TestFollowersGiveUp(t *testing.T) {
	var server *Server
	events, client, _ := serve(t, &fakeBackend{}, func(s *Server) { server = s })
	client.answerTimeout = 3 * rejoinPause
	events.Append(event.Event{Kind: event.KindServer})
	var last error
	for e, err := range client.Events(t.Context(), 0, true) {
		if last = err; e.Seq == 1 {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if err := server.Leave(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !errors.Is(last, ErrNotRunning) {
		t.Errorf("the stream ended with %v", last)
	}
}

func TestListen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run", "control.sock")
	first, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, want 0660", info.Mode())
	}
	if _, err := Listen(path); !errors.Is(err, ErrInUse) || err.Error() != "a running daemon uses the socket "+path {
		t.Errorf("a second daemon: %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the second daemon took the socket of the first away: %v", err)
	}

	// The first dies without a chance to clean up.
	first.UnixListener.Close()
	second, err := Listen(path)
	if err != nil {
		t.Fatalf("with a stale socket: %v", err)
	}
	first.Close() // late, and no longer its own
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the first daemon took the socket of the second away: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || err.Error() != path+" is not a socket, so the control socket cannot be made there" {
		t.Errorf("a file in the way: %v", err)
	}
	if umask := unix.Umask(0o022); umask == 0o117 {
		t.Errorf("the umask stayed changed: %04o", umask)
	} else {
		unix.Umask(umask)
	}
}

func TestClientSaysWhenNobodyIsThere(t *testing.T) {
	dir := t.TempDir()
	missing, dead := filepath.Join(dir, "missing"), filepath.Join(dir, "dead")
	l, err := Listen(dead)
	if err != nil {
		t.Fatal(err)
	}
	l.UnixListener.Close()
	for path, want := range map[string]string{
		missing: "holdfast is not running: there is no control socket " + missing,
		dead:    "holdfast is not running: nobody listens on the control socket " + dead,
	} {
		if _, err := NewClient(path).Status(t.Context()); !errors.Is(err, ErrNotRunning) || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestClientUnderstandsStrangeAnswers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	answers := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "status") {
			http.Error(w, "oops", http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, "no JSON")
	})}
	go func() { _ = answers.Serve(l) }()
	defer answers.Close()
	c := NewClient(path)
	if _, err := c.Status(t.Context()); err == nil || err.Error() != "the daemon answered 502 Bad Gateway" {
		t.Errorf("status: %v", err)
	}
	if _, err := c.Plan(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "decode the daemon's answer: ") {
		t.Errorf("plan: %v", err)
	}
	for _, err := range c.Events(t.Context(), 0, false) {
		if err == nil || !strings.HasPrefix(err.Error(), "read events: ") {
			t.Errorf("events: %v", err)
		}
	}
}

func TestClientDoesNotWaitForEver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path) // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := NewClient(path)
	c.answerTimeout = time.Millisecond
	if _, err := c.Status(t.Context()); err == nil || err.Error() != "the daemon does not answer on the control socket "+path {
		t.Errorf("status: %v", err)
	}
}

// describe is what a test compares of events.
func describe(events []event.Event) string {
	var words []string
	for _, e := range events {
		word := fmt.Sprintf("%d %s", e.Seq, e.Kind)
		if e.Kind == event.KindLost {
			word += " (" + e.Reason + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// States come first, and then each event after the moment of the states once, also
// across an upgrade.
func TestStatesOverTheSocket(t *testing.T) {
	events, client, _ := serve(t, &fakeBackend{}, nil)
	for _, kind := range []string{event.KindServer, event.KindGroup} { // the states are of after the first
		events.Append(event.Event{Kind: kind})
	}
	for follow, want := range map[bool]string{
		false: "outside MASTER true 0, web UP true 0",
		true:  "outside MASTER true 0, web UP true 0,   false 2,   false 3",
	} {
		var got []string
		for e, err := range client.States(t.Context(), follow) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%s %s %v %d", e.Subject, e.To, e.Snapshot, e.Seq))
			if e.Seq == 2 {
				events.Append(event.Event{Kind: event.KindRepair})
			}
			if e.Seq == 3 {
				break
			}
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("follow %v: %s, want %s", follow, strings.Join(got, ", "), want)
		}
	}
}

// A daemon that knows nothing of states is not taken for one that has none.
func TestStatesOfAnOldDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	old := http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Second}
	go func() { _ = old.Serve(l) }()
	defer old.Close()
	for e, err := range NewClient(path).States(t.Context(), false) {
		if err == nil || !strings.Contains(err.Error(), "older than this command") {
			t.Errorf("got %v, %v", e, err)
		}
		return
	}
	t.Error("no error")
}

// A follower that has heard nothing for longer than a write may take is told all the
// same that the daemon returns.
func TestQuietFollowerGoesOn(t *testing.T) {
	var server *Server
	events, client, _ := serve(t, &fakeBackend{}, func(s *Server) { server = s; s.api.writeTimeout = 20 * time.Millisecond })
	client.answerTimeout = 3 * rejoinPause
	events.Append(event.Event{Kind: event.KindServer})
	var last error
	for e, err := range client.Events(t.Context(), 0, true) {
		if last = err; e.Seq == 1 {
			time.Sleep(5 * server.api.writeTimeout) // the deadline of the first write passes
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if err := server.Leave(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !errors.Is(last, ErrNotRunning) { // it has asked again
		t.Errorf("the stream ended with %v", last)
	}
}

// An order arrives as it was given, with who gave it; one that cannot be read is
// refused.
func TestOrders(t *testing.T) {
	backend := &fakeBackend{}
	_, client, _ := serve(t, backend, nil)
	for _, o := range []ServerOrder{
		{Verb: Drain, Service: "web", Server: "[fd00::1]:80", For: 90 * time.Second},
		{Verb: Enable, Service: "all", Server: "a&b=c d"},
		{Verb: Weight, Service: "web", Server: "rs1", Weight: 7},
	} {
		done, err := client.Order(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		want := o
		want.By = "root"
		if uid := os.Geteuid(); uid != 0 {
			want.By = fmt.Sprintf("uid %d", uid)
		}
		if backend.order != want || done.Servers[0].Service != o.Service || done.Servers[0].Name != o.Server {
			t.Errorf("%+v arrived as %+v, the answer is %+v", o, backend.order, done)
		}
	}
	for _, path := range []string{"weight?service=a&server=b", "weight?weight=x", "drain?for=soon", "drain?for=-1s", "drain?for=0s"} {
		var refused *RefusedError
		if _, err := ask[Servers](t.Context(), client, http.MethodPost, path); !errors.As(err, &refused) || refused.Code != http.StatusBadRequest {
			t.Errorf("%s: %v", path, err)
		}
	}
}
