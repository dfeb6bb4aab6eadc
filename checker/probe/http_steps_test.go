package probe

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The poller tells once of bytes and an end that come together, so one step must see both.
func TestStepSeesTheEndOfAnAnswer(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	settings := Default("http").(HTTP)
	settings.Body = "ok"
	p := newHTTPProber(settings, Target{Address: netip.MustParseAddrPort(l.Addr().String()), Timeout: time.Second})
	s := p.Start()
	if got := s.Step(); got != Waiting {
		t.Fatalf("the request: %v", got)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 4096)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "HTTP/1.0 200 OK\r\n\r\nok")
	conn.Close()
	fd, _, _ := s.Socket()
	ended := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	if n, err := unix.Poll(ended, 10_000); n != 1 {
		t.Fatalf("the end does not come: %v", err)
	}
	if got := s.Step(); got != Done {
		t.Fatalf("the answer: %v", got)
	}
	if _, err := s.Result(); err != nil {
		t.Error(err)
	}
}

// A few bytes can be a long text, which must not keep the scheduler from other checks.
func TestCodedBodyIsNotJudgedInSteps(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	settings := Default("http").(HTTP)
	settings.Body = "all is well"
	s := newHTTPProber(settings, at(l.Addr())).Start()
	if got := s.Step(); got != Waiting {
		t.Fatalf("the request: %v", got)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 4096)); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	w := gzip.NewWriter(&text)
	_, _ = io.WriteString(w, strings.Repeat("all is well ", 1<<16))
	w.Close()
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", text.Len(), text.Bytes())
	fd, _, _ := s.Socket()
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000); n != 1 {
		t.Fatalf("no answer comes: %v", err)
	}
	if got := s.Step(); got != Long {
		t.Fatalf("the answer: %v", got)
	}
	if _, err := s.Rest(t.Context()); err != nil {
		t.Error(err)
	}
}

// An attempt that has to connect anew, because the server ended the kept connection, says
// that it could not connect.
func TestStepOfAnAttemptThatConnectsAnew(t *testing.T) {
	s := newHTTPProber(defaultHTTP, at(listen(t, "127.0.0.1:0").Addr())).Start().(*httpSteps)
	s.Step()
	s.again()
	s.Expire()
	if _, err := s.Result(); err == nil || !strings.HasPrefix(err.Error(), "connect: timeout") {
		t.Errorf("%v, want that the connection was not made", err)
	}
}
