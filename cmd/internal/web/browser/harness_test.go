package browser

import (
	"context"
	"flag"
	"log/slog"
	"net"
	"net/http/httptest"
	"sync"
	"testing"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/cmd/internal/web"
)

var shots = flag.String("page.shots", "", "folder for pictures of what the tests look at")

// A director is a page with a status that the test changes.
type director struct {
	page    *web.Page
	server  *httptest.Server
	journal *event.Journal

	mu     sync.Mutex
	looks  uint64
	status func(n uint64) *status.Status
}

// newDirector serves the page of a director.
func newDirector(t *testing.T, make func(n uint64) *status.Status, history func(*event.Journal), peers ...web.Peer) *director {
	d := &director{status: make, journal: event.NewJournal(4096, 0)}
	if history != nil {
		history(d.journal)
	}
	d.page = web.New(web.Options{Status: d.look, Journal: d.journal, Log: slog.New(slog.DiscardHandler)})
	d.page.Open(peers)
	d.server = httptest.NewServer(d.page)
	t.Cleanup(func() {
		d.page.Close(false)
		d.server.Close()
	})
	return d
}

func (d *director) look(context.Context) (*status.Status, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looks++
	return d.status(d.looks), nil
}

// become changes what the director is like.
func (d *director) become(make func(n uint64) *status.Status) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status = make
}

func always(s func() *status.Status) func(uint64) *status.Status {
	return func(uint64) *status.Status { return s() }
}

// secondStatus is the other director of busy and failing.
func secondStatus() *status.Status {
	s := emptyStatus()
	s.Director = "lvs2"
	s.VRRP = []status.Instance{router("dns", "", "eth0", 60, event.Master, "10.0.0.53/24"), router("v6", "", "eth0", 61, event.Master, "2001:db8::53/64")}
	s.Groups = []status.Group{{Name: "director", State: event.Backup}}
	return s
}

// peersOf are a peer that answers and one that does not.
func peersOf(t *testing.T) []web.Peer {
	second := newDirector(t, always(secondStatus), nil)
	return []web.Peer{{Name: "lvs2", URL: second.server.URL}, {Name: "lvs3", URL: "http://" + unusedAddress(t)}}
}

func unusedAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// directors returns the director of each kind.
func directors(t *testing.T) map[string]*director {
	peers := peersOf(t)
	return map[string]*director{
		"empty":   newDirector(t, always(emptyStatus), nil),
		"busy":    newDirector(t, busyStatus, busyEvents, peers[0]),
		"failing": newDirector(t, failingStatus, failingEvents, peers...),
		"big":     newDirector(t, bigStatus, nil),
	}
}
