package probe

import (
	"io"
	"net"
	"net/netip"
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
