package checker

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"holdfast/checker/poll"
	"holdfast/checker/probe"
	"holdfast/integration/tools"
)

// serve answers each connection to a new listener with a function.
func serve(t *testing.T, answer func(net.Conn)) net.Listener {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	go acceptAll(l, answer)
	return l
}

// acceptAll answers each connection when it has asked, until the listener is closed.
func acceptAll(l net.Listener, answer func(net.Conn)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			if n, _ := conn.Read(make([]byte, 4096)); n > 0 {
				answer(conn)
			}
		}()
	}
}

func httpCheck(id string, l net.Listener) Config {
	c := Default(probe.Default("http"))
	c.ID, c.Address = id, netip.MustParseAddrPort(l.Addr().String())
	return c
}

// force makes one attempt of a check in a Set of its own, and returns its reason.
func force(t *testing.T, c Config) string {
	t.Helper()
	s := New(Options{})
	defer s.Close()
	if err := s.Apply([]Config{c}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := s.Force(ctx, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	return r.Reason
}

const wellAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"

// However an answer comes, the verdict is that of an answer that comes at once.
func TestAnswersThatComeBitByBit(t *testing.T) {
	bits := func(parts ...string) func(net.Conn) {
		return func(conn net.Conn) {
			for _, part := range parts {
				_, _ = io.WriteString(conn, part)
				time.Sleep(5 * time.Millisecond) // nothing tells a server that its peer has read
			}
		}
	}
	silence := func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) }
	for name, tt := range map[string]struct {
		answer func(net.Conn)
		body   string
		want   string
	}{
		"at once":         {bits(wellAnswer), "", ""},
		"in two parts":    {bits(wellAnswer[:20], wellAnswer[20:]), "ok", ""},
		"in many parts":   {bits(strings.Split(wellAnswer, "")...), "ok", ""},
		"until the end":   {bits("HTTP/1.1 200 OK\r\n\r\n", "o", "k\n"), "ok", ""},
		"long":            {bits("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 100<<10), "ok"), "ok", ""},
		"not wanted":      {bits("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), "", "HTTP 503 Service Unavailable, want 200-299"},
		"cut off":         {bits(wellAnswer[:len(wellAnswer)-1]), "", "body: the server closed the connection too early"},
		"no answer":       {bits(), "", "answer: the server closed the connection too early"},
		"silence":         {silence, "", "answer: timeout after 300ms"},
		"half, then none": {func(c net.Conn) { _, _ = io.WriteString(c, wellAnswer[:len(wellAnswer)-1]); silence(c) }, "", "body: timeout after 300ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := httpCheck("test", serve(t, tt.answer))
			c.Timeout = 300 * time.Millisecond
			if tt.want == "" {
				c.Timeout = 20 * time.Second
			}
			settings := c.Probe.(probe.HTTP)
			settings.Body = tt.body
			c.Probe = settings
			if got := force(t, c); got != tt.want {
				t.Errorf("reason %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRedirectIsFollowed(t *testing.T) {
	l := serve(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n")
		if n, _ := conn.Read(make([]byte, 4096)); n > 0 {
			_, _ = io.WriteString(conn, wellAnswer)
		}
	})
	c := httpCheck("test", l)
	settings := c.Probe.(probe.HTTP)
	settings.Redirects = 1
	c.Probe = settings
	c.Timeout = 20 * time.Second
	if got := force(t, c); got != "" {
		t.Errorf("reason %q", got)
	}
}

// Attempts that wait for an answer have no goroutine each, and their sockets are closed
// with their checks and with the Set.
func TestAttemptsThatWait(t *testing.T) {
	const n = 50
	asked, ended := make(chan struct{}, n), make(chan struct{}, n)
	l := listen(t, "0.0.0.0:0")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				asked <- struct{}{}
				_, _ = io.Copy(io.Discard, conn)
				conn.Close()
				ended <- struct{}{}
			}()
		}
	}()
	port := netip.MustParseAddrPort(l.Addr().String()).Port()
	configs := make([]Config, n)
	for i := range configs {
		c := httpCheck(fmt.Sprint(i), l)
		c.Address = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(i + 1)}), port)
		c.Interval, c.Timeout = 10*time.Millisecond, time.Hour
		configs[i] = c
	}
	before := openFiles(t)
	s := New(Options{})
	if err := s.Apply(configs); err != nil {
		t.Fatal(err)
	}
	for range n {
		<-asked
	}
	// The server has one for each connection.
	if got := runtime.NumGoroutine(); got > 3*n/2 {
		t.Errorf("%d goroutines while %d attempts wait", got, n)
	}
	if err := s.Apply(configs[:1]); err != nil {
		t.Fatal(err)
	}
	for range n - 1 {
		<-ended
	}
	s.Close()
	tools.Await(t, fmt.Sprintf("no more than %d open files, as before", before), func() (any, bool) { n := openFiles(t); return n, n <= before })
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// A panickySteps panics in one of its steps.
type panickySteps struct {
	probe.Steps
	at     string
	closed chan struct{}
}

func (p panickySteps) Probe(context.Context) error { return nil }

func (p panickySteps) Start() probe.Steps {
	if p.at == "start" {
		panic("a defect")
	}
	return p
}

func (p panickySteps) Step() probe.Progress { panic("a defect") }

func (p panickySteps) Expire() {
	close(p.closed)
	panic("another defect")
}

func TestPanicInAStep(t *testing.T) {
	for _, at := range []string{"start", "step"} {
		closed := make(chan struct{})
		s := New(Options{NewProber: func(Config) probe.Prober { return panickySteps{at: at, closed: closed} }})
		c := tcpCheck(listen(t, "127.0.0.1:0"))
		if err := s.Apply([]Config{c}); err != nil {
			t.Fatal(err)
		}
		r, err := s.Force(t.Context(), c.ID)
		if err != nil || r.OK || r.Reason != "the probe panicked: a defect" {
			t.Errorf("%s: %+v, %v", at, r, err)
		}
		s.Close()
		if at == "step" {
			<-closed // and its socket
		}
	}
}

// fileSteps wait for a file. The answer has come when somebody looks again.
type fileSteps struct {
	probe.Steps
	file   *os.File
	looked bool
}

func (f *fileSteps) Probe(context.Context) error { return nil }
func (f *fileSteps) Start() probe.Steps          { f.looked = false; return f }

func (f *fileSteps) Step() probe.Progress {
	if !f.looked {
		f.looked = true
		return probe.Waiting
	}
	return probe.Done
}

func (f *fileSteps) Socket() (fd int, events uint32, known bool) {
	return int(f.file.Fd()), poll.Readable, false
}

func (f *fileSteps) Result() (*probe.Weight, error) { return nil, nil }
func (f *fileSteps) Expire()                        {}

// forceSteps makes one attempt that waits for a file.
func forceSteps(t *testing.T, file *os.File, timeout time.Duration) Result {
	t.Helper()
	s := New(Options{NewProber: func(Config) probe.Prober { return &fileSteps{file: file} }})
	defer s.Close()
	c := tcpCheck(listen(t, "127.0.0.1:0"))
	c.Interval, c.Timeout = time.Hour, timeout
	if err := s.Apply([]Config{c}); err != nil {
		t.Fatal(err)
	}
	r, err := s.Force(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// An answer that has come before the timeout counts, also if this process looks later.
func TestLastLookBeforeTheTimeout(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if got := forceSteps(t, r, 10*time.Millisecond); !got.OK {
		t.Errorf("%+v, want a good result", got)
	}
}

// An attempt for which the poller cannot wait says nothing of the server, and ends.
func TestPollerRefuses(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/file") // epoll takes no regular files
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const want = "wait for the answer: epoll_ctl: operation not permitted"
	if got := forceSteps(t, file, time.Hour); !got.Inconclusive || got.Reason != want {
		t.Errorf("%+v, want %q", got, want)
	}
}

// A poller that cannot be opened for want of file descriptors is opened later. The log
// says once that it is missing, and when it is there.
func TestPollerIsOpenedLater(t *testing.T) {
	var log strings.Builder
	s := &Set{log: slog.New(slog.NewTextHandler(&log, nil))}
	withoutFileDescriptors(t, func() {
		for range 2 {
			if s.openPoller() {
				t.Error("a poller without a file descriptor")
			}
		}
	})
	if !s.openPoller() {
		t.Fatal("the poller is not opened again")
	}
	s.abandon()
	if got := strings.Count(log.String(), "level=WARN"); got != 1 || !strings.Contains(log.String(), "share a goroutine again") {
		t.Errorf("log:\n%s", log.String())
	}
}
