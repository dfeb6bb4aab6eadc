package checker

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hung is the timeout of attempts that nobody answers: long enough for them to
// come to where they wait on a machine that is busy.
const hung = 500 * time.Millisecond

// ask makes one attempt as a Set does and returns its reason, "" if well.
func ask(t *testing.T, c Config) string {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return askWith(t, newProber(t, c), c.Timeout)
}

func newProber(t *testing.T, c Config) Prober {
	t.Helper()
	p := new(toolbox).prober(c)
	t.Cleanup(func() { discard(p) })
	return p
}

func askWith(t *testing.T, p Prober, timeout time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	if err := p.Probe(ctx); err != nil {
		return err.Error()
	}
	return ""
}

func wantReason(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}

// at returns a check of a loopback address.
func at(kind Kind, address net.Addr) Config {
	c := Default(kind)
	c.ID = "test"
	c.Address = netip.MustParseAddrPort(address.String())
	c.Timeout = 5 * time.Second
	return c
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// closedPort returns an address where nothing listens.
func closedPort(t *testing.T) net.Addr {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	l.Close()
	return l.Addr()
}

// fullQueue returns the address of a listener whose accept queue is full, so
// that its kernel answers no SYN: a process that hangs.
func fullQueue(t *testing.T) net.Addr {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: sa.(*unix.SockaddrInet4).Port}
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return addr
}

func TestTCP(t *testing.T) {
	t.Run("accepted over IPv4", func(t *testing.T) {
		wantReason(t, ask(t, at(TCP, listen(t, "127.0.0.1:0").Addr())), "")
	})
	t.Run("accepted over IPv6", func(t *testing.T) {
		wantReason(t, ask(t, at(TCP, listen(t, "[::1]:0").Addr())), "")
	})
	t.Run("IPv4 in IPv6", func(t *testing.T) {
		c := at(TCP, listen(t, "127.0.0.1:0").Addr())
		c.Address = netip.AddrPortFrom(netip.AddrFrom16(c.Address.Addr().As16()), c.Address.Port())
		wantReason(t, ask(t, c), "")
	})
	t.Run("refused", func(t *testing.T) {
		wantReason(t, ask(t, at(TCP, closedPort(t))), "connect: connection refused")
	})
	t.Run("hung", func(t *testing.T) {
		c := at(TCP, fullQueue(t))
		c.Timeout = hung
		wantReason(t, ask(t, c), "connect: timeout after 500ms")
	})
	t.Run("unreachable", func(t *testing.T) {
		c := at(TCP, closedPort(t))
		c.Address = netip.MustParseAddrPort("255.255.255.255:80")
		wantReason(t, ask(t, c), "connect: network is unreachable")
	})
}

// TestTCPLeavesTheServerAlone: the first connection that the server's process
// sees is not the check's, which the kernel dropped.
func TestTCPLeavesTheServerAlone(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	wantReason(t, ask(t, at(TCP, l.Addr())), "")
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if got, want := accepted.RemoteAddr().String(), conn.LocalAddr().String(); got != want {
		t.Errorf("accepted a connection from %s before that from %s", got, want)
	}
}

// TestSet runs the whole of it once in real time: a server that is well, stops,
// and comes back.
func TestSet(t *testing.T) {
	changes := make(chan Change, 10)
	s := New(Options{OnChange: func(c Change) { changes <- c }})
	defer s.Close()
	l := listen(t, "127.0.0.1:0")
	c := at(TCP, l.Addr())
	c.Interval, c.RetryInterval = 50*time.Millisecond, 10*time.Millisecond
	if err := s.Apply([]Config{c}); err != nil {
		t.Fatal(err)
	}
	next := func(up bool, reason string) {
		t.Helper()
		select {
		case got := <-changes:
			if got.Up != up || got.Reason != reason {
				t.Errorf("up %v: %s; want %v: %s", got.Up, got.Reason, up, reason)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("no change")
		}
	}
	next(true, "answered")
	l.Close()
	next(false, "connect: connection refused")
	listen(t, l.Addr().String())
	next(true, "answered")
}

func TestCancelEndsAnAttempt(t *testing.T) {
	silent := listen(t, "127.0.0.1:0")
	for _, c := range []Config{at(TCP, fullQueue(t)), at(HTTP, silent.Addr()), at(HTTPS, silent.Addr())} {
		t.Run(string(c.Kind), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- newProber(t, c).Probe(ctx) }()
			cancel()
			select {
			case err := <-done:
				if err == nil {
					t.Error("a canceled attempt succeeded")
				}
			case <-time.After(3 * time.Second):
				t.Fatal("the attempt goes on")
			}
		})
	}
}

func TestDial(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	c := at(HTTP, l.Addr())
	serve(t, l, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.RemoteAddr, "127.0.0.99:") {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	t.Run("from anywhere", func(t *testing.T) {
		wantReason(t, ask(t, c), "HTTP 403 Forbidden, want 200-299")
	})
	t.Run("source", func(t *testing.T) {
		c := c
		c.Dial.Source = netip.MustParseAddr("127.0.0.99")
		wantReason(t, ask(t, c), "")
	})
	t.Run("a source that is not here", func(t *testing.T) {
		c := c
		c.Dial.Source = netip.MustParseAddr("192.0.2.1")
		wantReason(t, ask(t, c), "bind to source 192.0.2.1: cannot assign requested address")
	})
	t.Run("device", func(t *testing.T) {
		c := at(TCP, l.Addr())
		c.Dial.Device = "lo"
		wantReason(t, ask(t, c), "")
		c.Dial.Device = "no-such-device"
		wantReason(t, ask(t, c), "bind to device no-such-device: no such device")
	})
	t.Run("mark", func(t *testing.T) {
		c := at(TCP, l.Addr())
		c.Dial.Mark = 7
		want := ""
		if os.Geteuid() != 0 {
			want = "set mark 7: operation not permitted"
		}
		wantReason(t, ask(t, c), want)
		if want != "" {
			return
		}
		if got := socketOption(t, callerOf(&c), unix.SOL_SOCKET, unix.SO_MARK); got != 7 {
			t.Errorf("SO_MARK is %d", got)
		}
	})
	t.Run("a source keeps no port for itself", func(t *testing.T) {
		c := c
		c.Dial.Source = netip.MustParseAddr("127.0.0.99")
		if got := socketOption(t, callerOf(&c), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT); got != 1 {
			t.Errorf("IP_BIND_ADDRESS_NO_PORT is %d", got)
		}
	})
}

func callerOf(c *Config) *caller { return &newTCPProber(c).caller }

// TestConnectionWithItself: a check of a local port where nobody listens, made
// from that same port.
func TestConnectionWithItself(t *testing.T) {
	c := at(TCP, closedPort(t))
	port := int(c.Address.Port())
	p := &tcpProber{newCaller(&c, unix.SOCK_STREAM, func(fd int) error {
		const ipLocalPortRange = 51 // linux/in.h, since Linux 6.3
		if err := unix.SetsockoptInt(fd, unix.SOL_IP, ipLocalPortRange, port<<16|port); err != nil {
			t.Skipf("this kernel does not let a socket choose its range of ports: %v", err)
		}
		return nil
	})}
	wantReason(t, askWith(t, p, c.Timeout), "connect: connection refused")
}

// socketOption returns an option of a connection that caller makes.
func socketOption(t *testing.T, caller *caller, level, option int) (value int) {
	t.Helper()
	conn, err := caller.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var optErr error
	if err := raw.Control(func(fd uintptr) { value, optErr = unix.GetsockoptInt(int(fd), level, option) }); err != nil || optErr != nil {
		t.Fatal(err, optErr)
	}
	return value
}

func TestNoFileDescriptors(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	c := at(TCP, l.Addr())
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	wantReason(t, ask(t, c), "") // the poller's own descriptors are open now
	none := syscall.Rlimit{Cur: 0, Max: old.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	err := newProber(t, c).Probe(t.Context())
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err == nil || err.Error() != "socket: too many open files" {
		t.Errorf("error %v", err)
	}
	q := question{cfg: c}
	if !q.isOurs(err) {
		t.Errorf("%v is held against the server", err)
	}
}
