package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cmd/internal/event"
)

func TestEventsOverTheSocket(t *testing.T) {
	events, client, _ := serve(t, &fakeBackend{}, nil)
	events.Append(event.Event{Kind: event.KindServer, Subject: "web/<rs1>"})
	events.Append(event.Event{Kind: event.KindGroup})
	var got []string
	for e, err := range client.Events(t.Context(), event.Position{Seq: 1}, false) {
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
	for e, err := range client.Events(ctx, event.Position{}, true) {
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
	for e, err := range client.Events(t.Context(), event.Position{}, true) {
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

// binary serves on a socket as one binary of a daemon does, until it leaves for the next.
func binary(t *testing.T, path string, events *event.Journal) (s *Server, leave func()) {
	t.Helper()
	s = NewAPI(Options{Backend: &fakeBackend{}, Events: events, Log: slog.New(slog.DiscardHandler)}).NewServer(SocketDoor(OnlyRoot))
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	return s, func() {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := errors.Join(s.Leave(ctx), <-served); err != nil {
			t.Error(err)
		}
	}
}

// successor returns the journal of the next binary.
func successor(t *testing.T, old *event.Journal) *event.Journal {
	t.Helper()
	young := event.NewJournal(10, old.Last())
	if err := young.Prepend(old.Since(0)); err != nil {
		t.Fatal(err)
	}
	return young
}

// A follower that has waited in vain for events after a time waits for them with the new
// binary too. It gets none from before.
func TestFollowersOfATimeGoOn(t *testing.T) {
	old, path := event.NewJournal(10, 0), filepath.Join(t.TempDir(), "control.sock")
	now := time.Now()
	old.Append(event.Event{Kind: event.KindServer, At: now.Add(-time.Hour)})
	s, leave := binary(t, path, old)
	got := make(chan event.Event)
	go func() {
		for e := range NewClient(path).Events(t.Context(), event.Position{Time: now}, true) {
			got <- e
			return
		}
	}()
	for len(s.streams) == 0 { // bounded by the test's time
		runtime.Gosched()
	}
	leave()
	young := successor(t, old)
	_, leave = binary(t, path, young)
	young.Append(event.Event{Kind: event.KindGroup, At: now})
	if e := <-got; e.Seq != 2 {
		t.Errorf("it got event %d, want 2", e.Seq)
	}
	leave()
}

// A follower of a daemon that is upgraded continues with the new binary. It misses
// no event and reads none twice.
func TestFollowersGoOn(t *testing.T) {
	old, path := event.NewJournal(10, 0), filepath.Join(t.TempDir(), "control.sock")
	_, leave := binary(t, path, old)
	old.Append(event.Event{Kind: event.KindServer})
	var got []string
	for e, err := range NewClient(path).Events(t.Context(), event.Position{}, true) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, describe([]event.Event{e}))
		if e.Seq == 1 {
			leave()
			old.Append(event.Event{Kind: event.KindGroup}) // which nobody can read there any more
			young := successor(t, old)
			_, leave = binary(t, path, young)
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
	for e, err := range client.Events(t.Context(), event.Position{}, true) {
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
	synctest.Test(t, func(t *testing.T) {
		events := event.NewJournal(10, 0)
		s := NewAPI(Options{Backend: &fakeBackend{}, Events: events, Log: slog.New(slog.DiscardHandler)}).NewServer(SocketDoor(OnlyRoot))
		l := newMemoryListener()
		ended := make(chan error, 2)
		go func() { ended <- s.Serve(l) }()
		client := NewClient("")
		client.http.Transport = &http.Transport{DisableKeepAlives: true, DialContext: l.dial}
		events.Append(event.Event{Kind: event.KindServer})
		var last error
		for e, err := range client.Events(t.Context(), event.Position{}, true) {
			if last = err; e.Seq == 1 {
				time.Sleep(2 * writeTimeout)                  // the deadline of the first write passes
				go func() { ended <- s.Leave(t.Context()) }() // which waits for this reader
			}
		}
		if !errors.Is(last, ErrNotRunning) { // it has asked again
			t.Errorf("the stream ended with %v", last)
		}
		if err := errors.Join(<-ended, <-ended); err != nil {
			t.Error(err)
		}
	})
}

// A memoryListener has connections without the kernel, whose deadlines follow the clock
// of a synctest bubble.
type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newMemoryListener() *memoryListener {
	return &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// dial is for http.Transport. After Close nobody listens.
func (l *memoryListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	close(l.closed)
	return nil
}

func (l *memoryListener) Addr() net.Addr { return &net.UnixAddr{} }
