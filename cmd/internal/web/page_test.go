package web

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
)

// A served page has a status that the test changes.
type served struct {
	*Page
	url     string
	journal *event.Journal
	looks   atomic.Int64
	problem atomic.Pointer[string]
}

func serve(t *testing.T, peers ...Peer) *served {
	t.Helper()
	s := &served{journal: event.NewJournal(100, 0)}
	s.Page = New(Options{Status: s.status, Journal: s.journal, Log: slog.New(slog.DiscardHandler)})
	s.Open(peers)
	server := httptest.NewServer(s.Page)
	t.Cleanup(func() {
		s.Close(false)
		server.Close()
	})
	s.url = server.URL
	return s
}

func (s *served) status(context.Context) (*status.Status, error) {
	s.looks.Add(1)
	st := &status.Status{
		Director: "lvs1", Software: "1.2.3", Now: time.Now(),
		VRRP: []status.Instance{{Name: "outside", Group: "director", State: event.Master}, {Name: "dns", State: event.Backup}},
		Groups: []status.Group{
			{Name: "director", State: event.Master, Members: []string{"outside"}},
		},
	}
	if p := s.problem.Load(); p != nil {
		st.Problems = []status.Problem{{Text: *p}}
	}
	return st, nil
}

// A stream is an open page.
type stream struct {
	t     *testing.T
	lines *bufio.Reader
	body  io.ReadCloser
}

// open begins to read a stream, compressed or not.
func (s *served) open(t *testing.T, compressed bool) *stream {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/page/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", map[bool]string{true: "gzip", false: "identity"}[compressed])
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("the stream: %v %v", answer.Status, answer.Header)
	}
	var body io.Reader = answer.Body
	if (answer.Header.Get("Content-Encoding") == "gzip") != compressed {
		t.Fatalf("asked for compression %v, got %v", compressed, answer.Header)
	}
	if compressed {
		if body, err = gzip.NewReader(body); err != nil {
			t.Fatal(err)
		}
	}
	return &stream{t, bufio.NewReader(body), answer.Body}
}

// next returns the type and the data of the next event.
func (s *stream) next() (kind string, data update) {
	s.t.Helper()
	kind, text := s.raw()
	if err := json.Unmarshal([]byte(text), &data); err != nil {
		s.t.Fatal(err)
	}
	return kind, data
}

func (s *stream) raw() (kind, data string) {
	s.t.Helper()
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			s.t.Fatal(err)
		}
		switch line = strings.TrimSuffix(line, "\n"); {
		case strings.HasPrefix(line, "event: "):
			kind = line[7:]
		case strings.HasPrefix(line, "data: "):
			data = line[6:]
		case line == "":
			return kind, data
		}
	}
}

// A stream begins with everything, goes on with what changes, and has every event once.
func TestStream(t *testing.T) {
	for _, compressed := range []bool{false, true} {
		s := serve(t)
		s.journal.Append(event.Event{Kind: event.KindConfig, Reason: "first"})
		page := s.open(t, compressed)
		kind, all := page.next()
		if kind != "state" || len(all.Events) != 1 || !slices.Equal(all.Tables["routers"].Order, []string{"outside", "dns"}) {
			t.Fatalf("the first event is %s with %+v", kind, all)
		}
		problem := "eth1 is gone"
		s.problem.Store(&problem)
		s.journal.Append(event.Event{Kind: event.KindProblem, Reason: problem})
		kind, more := page.next()
		if kind != "delta" || len(more.Events) != 1 || more.Events[0].Reason != problem || len(more.Tables) != 0 || !strings.Contains(string(more.Head), problem) {
			t.Fatalf("the next event is %s with head %s, %+v", kind, more.Head, more)
		}
	}
}

// All readers share one look; who comes later gets everything that the others have.
func TestReadersShareLooks(t *testing.T) {
	s := serve(t)
	first := s.open(t, false)
	first.next()
	for range 20 {
		late := s.open(t, true)
		if kind, _ := late.next(); kind != "state" {
			t.Fatalf("a late reader gets %s first", kind)
		}
	}
	if n := s.looks.Load(); n > 2 {
		t.Errorf("21 readers at once made %d looks", n)
	}
}

// When the last reader has left, the director is not asked any more.
func TestNobodyLooks(t *testing.T) {
	s := serve(t)
	page := s.open(t, false)
	page.next()
	page.body.Close()
	for deadline := time.Now().Add(10 * time.Second); ; {
		s.hub.mu.Lock()
		readers, current := s.hub.readers, s.hub.current
		s.hub.mu.Unlock()
		if readers == 0 && current == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d readers are left", readers)
		}
	}
	looks := s.looks.Load()
	s.journal.Append(event.Event{Kind: event.KindConfig}) // which would be a reason to look
	again := s.open(t, false)
	again.next()
	if n := s.looks.Load(); n != looks+1 {
		t.Errorf("%d looks while nobody looked", n-looks-1)
	}
}

// A reader that missed a look gets everything again.
func TestReaderThatIsSlow(t *testing.T) {
	h := &hub{journal: event.NewJournal(10, 0), peers: newPeers(slog.New(slog.DiscardHandler)), arrived: make(chan struct{}),
		status: func(context.Context) (*status.Status, error) { return &status.Status{}, nil }}
	for range 3 {
		h.look(t.Context())
	}
	for seen, want := range map[uint64]string{0: "event: state", 1: "event: state", 2: "event: delta"} {
		if m, n := h.next(t.Context(), seen); n != 3 || !strings.HasPrefix(string(m.plain), want) {
			t.Errorf("who has seen look %d gets %.30s of look %d, want %s", seen, m.plain, n, want)
		}
	}
}

// Readers are told that the daemon stops, and whether it comes back.
func TestClose(t *testing.T) {
	for _, returns := range []bool{true, false} {
		s := serve(t)
		page := s.open(t, true)
		page.next()
		s.Close(returns)
		kind, data := page.raw()
		for kind == "delta" {
			kind, data = page.raw()
		}
		if want := map[bool]string{true: `{"returns":true}`, false: `{"returns":false}`}[returns]; kind != "bye" || data != want {
			t.Errorf("Close(%v) says %s %s", returns, kind, data)
		}
		answer, err := http.Get(s.url + "/page/stream")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a closed page answers %v", answer.Status)
		}
		s.Open(nil)
		if kind, _ := s.open(t, true).next(); kind != "state" {
			t.Errorf("after Open the first event is %s", kind)
		}
	}
}

// Pages that are open at once are bounded.
func TestReadersAreBounded(t *testing.T) {
	s := serve(t)
	s.readers = make(chan struct{}, 1)
	s.open(t, false).next()
	answer, err := http.Get(s.url + "/page/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one reader too many gets %v", answer.Status)
	}
}

// The files of the page come with their types, with a policy that forbids what is not
// the daemon's, and only once.
func TestAssets(t *testing.T) {
	s := serve(t)
	for path, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/page/app.js": "text/javascript; charset=utf-8", "/page/style.css": "text/css; charset=utf-8", "/page/icon.svg": "image/svg+xml",
	} {
		answer, err := http.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		h := answer.Header
		if answer.StatusCode != http.StatusOK || h.Get("Content-Type") != kind || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v %v", path, answer.Status, h)
		}
		for _, rule := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} {
			if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, rule) || strings.Contains(csp, "unsafe") {
				t.Errorf("%s: the policy is %q", path, csp)
			}
		}
		request, _ := http.NewRequest(http.MethodGet, s.url+path, nil)
		request.Header.Set("If-None-Match", h.Get("ETag"))
		again, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		again.Body.Close()
		if again.StatusCode != http.StatusNotModified {
			t.Errorf("%s again: %v", path, again.Status)
		}
	}
	for _, path := range []string{"/page/", "/page/nothing.js", "/other", "/page/index.html"} {
		answer, err := http.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %v", path, answer.Status)
		}
	}
	answer, err := http.Post(s.url+"/", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST /: %v", answer.Status)
	}
}

// No file of the page makes markup of text, or refers to another host.
func TestAssetsAreSafe(t *testing.T) {
	files, err := embedded.ReadDir("assets")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		body, err := embedded.ReadFile("assets/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(body), "http://www.w3.org/2000/svg", "")
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http://", "https://", "style=", "onclick="} {
			if strings.Contains(text, bad) {
				t.Errorf("%s has %s", f.Name(), bad)
			}
		}
	}
}
