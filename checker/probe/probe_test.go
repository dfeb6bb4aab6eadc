package probe

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hung is the timeout of attempts that nobody answers: long enough for them to
// come to where they wait on a machine that is busy.
const hung = 500 * time.Millisecond

// ask makes one attempt as a Set does and returns its reason, "" if well.
func ask(t *testing.T, s Settings, to Target) string {
	t.Helper()
	if errs := append(s.Validate(), to.Validate(s.Needs())...); errs != nil {
		t.Fatal(errs)
	}
	return askWith(t, newProber(t, s, to), to.Timeout)
}

func newProber(t *testing.T, s Settings, to Target) Prober {
	t.Helper()
	p := new(Tools).Prober(s, to)
	t.Cleanup(func() { Discard(p) })
	return p
}

func askWith(t *testing.T, p Prober, timeout time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	var err error
	if s := start(p); s != nil {
		_, err = walk(t, ctx, s)
	} else {
		err = p.Probe(ctx)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// start begins an attempt in steps if it can be made so.
func start(p Prober) Steps {
	if s, ok := p.(Stepper); ok {
		return s.Start()
	}
	return nil
}

// walk makes an attempt in steps as a Set does.
func walk(t *testing.T, ctx context.Context, s Steps) (*Weight, error) {
	t.Helper()
	for {
		switch s.Step() {
		case Done:
			return s.Result()
		case Long:
			return s.Rest(ctx)
		}
		fd, events, _ := s.Socket()
		pollfd := []unix.PollFd{{Fd: int32(fd), Events: int16(events & 0xffff)}}
		deadline, _ := ctx.Deadline()
		n, err := unix.Poll(pollfd, max(int(time.Until(deadline).Milliseconds()), 0))
		if err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
		if n == 0 {
			s.Expire()
			return s.Result()
		}
	}
}

func wantReason(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}

// at returns the target of a loopback address.
func at(address net.Addr) Target {
	return Target{Address: netip.MustParseAddrPort(address.String()), Timeout: 5 * time.Second}
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

// closedPort returns an address where nothing listens. A socket keeps it while the test runs,
// so that nobody else comes to listen there.
func closedPort(t *testing.T) net.Addr {
	t.Helper()
	_, address := boundSocket(t)
	return address
}

// boundSocket returns a socket of TCP that is bound to a port of 127.0.0.1, and that port.
func boundSocket(t *testing.T) (fd int, address *net.TCPAddr) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*unix.SockaddrInet4).Port}
}

// fullQueue returns the address of a listener whose accept queue is full, so
// that its kernel answers no SYN: a process that hangs.
func fullQueue(t *testing.T) net.Addr {
	t.Helper()
	fd, addr := boundSocket(t)
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return addr
}

func TestTCP(t *testing.T) {
	t.Run("accepted over IPv4", func(t *testing.T) {
		wantReason(t, ask(t, TCP{}, at(listen(t, "127.0.0.1:0").Addr())), "")
	})
	t.Run("accepted over IPv6", func(t *testing.T) {
		wantReason(t, ask(t, TCP{}, at(listen(t, "[::1]:0").Addr())), "")
	})
	t.Run("IPv4 in IPv6", func(t *testing.T) {
		c := at(listen(t, "127.0.0.1:0").Addr())
		c.Address = netip.AddrPortFrom(netip.AddrFrom16(c.Address.Addr().As16()), c.Address.Port())
		wantReason(t, ask(t, TCP{}, c), "")
	})
	t.Run("refused", func(t *testing.T) {
		wantReason(t, ask(t, TCP{}, at(closedPort(t))), "connect: connection refused")
	})
	t.Run("hung", func(t *testing.T) {
		c := at(fullQueue(t))
		c.Timeout = hung
		wantReason(t, ask(t, TCP{}, c), "connect: timeout after 500ms")
	})
	t.Run("unreachable", func(t *testing.T) {
		c := at(closedPort(t))
		c.Address = netip.MustParseAddrPort("255.255.255.255:80")
		wantReason(t, ask(t, TCP{}, c), "connect: network is unreachable")
	})
}

// TestTCPLeavesTheServerAlone: the first connection that the server's process
// sees is not the check's, which the kernel dropped.
func TestTCPLeavesTheServerAlone(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	wantReason(t, ask(t, TCP{}, at(l.Addr())), "")
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

func TestCancelEndsAnAttempt(t *testing.T) {
	silent := listen(t, "127.0.0.1:0")
	for _, tt := range []struct {
		s  Settings
		to Target
	}{{TCP{}, at(fullQueue(t))}, {defaultHTTP, at(silent.Addr())}, {defaultHTTPS, at(silent.Addr())}} {
		t.Run(tt.s.Kind(), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- newProber(t, tt.s, tt.to).Probe(ctx) }()
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
	c := at(l.Addr())
	serve(t, l, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.RemoteAddr, "127.0.0.99:") {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	t.Run("from anywhere", func(t *testing.T) {
		wantReason(t, ask(t, defaultHTTP, c), "HTTP 403 Forbidden, want 200-299")
	})
	t.Run("source", func(t *testing.T) {
		c := c
		c.Dial.Source = netip.MustParseAddr("127.0.0.99")
		wantReason(t, ask(t, defaultHTTP, c), "")
	})
	t.Run("a source that is not here", func(t *testing.T) {
		c := c
		c.Dial.Source = netip.MustParseAddr("192.0.2.1")
		wantReason(t, ask(t, defaultHTTP, c), "bind to source 192.0.2.1: cannot assign requested address")
	})
	t.Run("device", func(t *testing.T) {
		c := at(l.Addr())
		c.Dial.Device = "lo"
		wantReason(t, ask(t, TCP{}, c), "")
		c.Dial.Device = "no-such-device"
		wantReason(t, ask(t, TCP{}, c), "bind to device no-such-device: no such device")
	})
	t.Run("mark", func(t *testing.T) {
		c := at(l.Addr())
		c.Dial.Mark = 7
		want := ""
		if os.Geteuid() != 0 {
			want = "set mark 7: operation not permitted"
		}
		wantReason(t, ask(t, TCP{}, c), want)
		if want != "" {
			return
		}
		if got := optionOf(t, &newTCPProber(c).dialer, unix.SOL_SOCKET, unix.SO_MARK); got != 7 {
			t.Errorf("SO_MARK is %d", got)
		}
	})
	t.Run("a source keeps no port for itself", func(t *testing.T) {
		c := c
		c.Dial.Source = netip.MustParseAddr("127.0.0.99")
		if got := optionOf(t, &newTCPProber(c).dialer, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT); got != 1 {
			t.Errorf("IP_BIND_ADDRESS_NO_PORT is %d", got)
		}
	})
}

// TestConnectionWithItself: a check of a local port where nobody listens, made
// from that same port.
func TestConnectionWithItself(t *testing.T) {
	l := listen(t, "127.76.0.1:0") // where no program gets a port that asks for any
	l.Close()
	c := at(l.Addr())
	port := int(c.Address.Port())
	p := &tcpProber{dialer: newDialer(c, unix.SOCK_STREAM, func(fd int) error {
		return unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: c.Address.Addr().As4()})
	})}
	wantReason(t, askWith(t, p, c.Timeout), "connect: connection refused")
}

// optionOf returns an option of a connection that dialer makes.
func optionOf(t *testing.T, dialer *dialer, level, option int) (value int) {
	t.Helper()
	conn, err := dialer.dial(t.Context())
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
