package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
)

// A slowBackend makes a status when the test lets it.
type slowBackend struct {
	fakeBackend
	began chan int // which call has begun
	goOn  chan struct{}
	calls atomic.Int32
}

func (b *slowBackend) Status(context.Context) (*status.Status, error) {
	n := int(b.calls.Add(1))
	b.began <- n
	<-b.goOn
	return &status.Status{PID: n}, nil
}

// Requests that arrive while a status is being made share the next one. They must
// not get a status that was begun before they asked.
func TestStatusIsShared(t *testing.T) {
	const readers = 100
	backend := &slowBackend{began: make(chan int, 10), goOn: make(chan struct{})}
	var server *Server
	_, client, _ := serve(t, backend, func(s *Server) { server = s })
	got := make(chan int, readers+1)
	ask := func() {
		st, err := client.Status(t.Context())
		if err != nil {
			t.Error(err)
			st = &status.Status{}
		}
		got <- st.PID
	}
	go ask()
	<-backend.began
	for range readers {
		go ask()
	}
	for waiting := 0; waiting < readers; { // bounded by the test's time
		server.api.snapshots.mu.Lock()
		if n := server.api.snapshots.next; n != nil {
			waiting = n.readers
		}
		server.api.snapshots.mu.Unlock()
	}
	backend.goOn <- struct{}{}
	<-backend.began
	backend.goOn <- struct{}{}
	seen := map[int]int{}
	for range readers + 1 {
		seen[<-got]++
	}
	if seen[1] != 1 || seen[2] != readers {
		t.Errorf("the readers got the statuses %v, want 1 the first and %d the second", seen, readers)
	}
}

// A bigBackend has a status that no socket's buffer holds.
type bigBackend struct{ fakeBackend }

func (*bigBackend) Status(context.Context) (*status.Status, error) {
	return &status.Status{Director: strings.Repeat("x", 4<<20)}, nil
}

// Clients that ask and never read are disconnected. They do not keep a status in
// memory for long, and do not delay other clients.
func TestReadersThatDoNotReadAreGivenUp(t *testing.T) {
	var server *Server
	_, client, path := serve(t, &bigBackend{}, func(s *Server) { server = s; s.api.writeTimeout = time.Second })
	var conns []net.Conn
	for range 10 * maxSnapshots {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET /v1/status HTTP/1.1\r\nHost: holdfast\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	if st, err := client.Status(t.Context()); err != nil || len(st.Director) != 4<<20 {
		t.Fatalf("a client that reads: %v", err)
	}
	for _, conn := range conns {
		awaitHangup(t, conn) // without a read, which would make it a client that reads
	}
	if n := len(server.api.snapshots.room); n > 1 {
		t.Errorf("%d statuses are in memory", n)
	}
}

// awaitHangup waits until the other end has closed the connection.
func awaitHangup(t *testing.T, conn net.Conn) {
	t.Helper()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if e := raw.Control(func(fd uintptr) {
		for n, err = 0, unix.EINTR; err == unix.EINTR; { // by a signal of the Go runtime
			n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd)}}, 20_000)
		}
	}); e != nil || err != nil || n != 1 {
		t.Fatalf("a client that does not read is not given up: %v, %v", e, err)
	}
}

// Streams of events are bounded: the next one is refused.
func TestStreamsAreBounded(t *testing.T) {
	events, client, _ := serve(t, &fakeBackend{}, func(s *Server) { s.streams = make(chan struct{}, 1) })
	events.Append(event.Event{Kind: event.KindServer})
	for _, err := range client.Events(t.Context(), event.Position{}, true) {
		if err != nil {
			t.Fatal(err)
		}
		var refused *RefusedError
		for _, err := range client.Events(t.Context(), event.Position{}, false) {
			if !errors.As(err, &refused) || refused.Code != 503 {
				t.Errorf("a second stream: %v", err)
			}
		}
		if refused == nil {
			t.Error("a second stream was served")
		}
		break
	}
}

// A listener accepts a bounded number of connections, and the next one when one of
// them is closed.
func TestConnectionsAreBounded(t *testing.T) {
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	b := newBounded(l, 2)
	accepted := make(chan net.Conn, 10)
	var ended sync.WaitGroup
	ended.Go(func() {
		for {
			conn, err := b.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	})
	for range 3 {
		conn, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	first := <-accepted
	<-accepted
	if n := len(b.room); n != 2 {
		t.Fatalf("%d connections are open", n)
	}
	if err := errors.Join(first.Close(), first.Close()); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	<-accepted
	if err := b.Close(); err != nil {
		t.Error(fmt.Errorf("close: %w", err))
	}
	ended.Wait()
}

// A client gets all events of a journal, however many batches they are.
func TestEventsComeInBatches(t *testing.T) {
	const many = 3*maxBatch + 5
	var server *Server
	_, client, _ := serve(t, &fakeBackend{}, func(s *Server) { s.api.events = event.NewJournal(many, 0); server = s })
	for range many {
		server.api.events.Append(event.Event{Kind: event.KindServer})
	}
	next := uint64(11)
	for e, err := range client.Events(t.Context(), event.Position{Seq: 10}, false) {
		if err != nil || e.Seq != next {
			t.Fatalf("event %d, want %d: %v", e.Seq, next, err)
		}
		next++
	}
	if next != many+1 {
		t.Errorf("the last event was %d, want %d", next-1, many)
	}
}
