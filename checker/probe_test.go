package checker

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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
		c.Timeout = 50 * time.Millisecond
		wantReason(t, ask(t, c), "connect: timeout after 50ms")
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
		if got := socketOption(t, &c, unix.SOL_SOCKET, unix.SO_MARK); got != 7 {
			t.Errorf("SO_MARK is %d", got)
		}
	})
	t.Run("a source keeps no port for itself", func(t *testing.T) {
		c := c
		c.Dial.Source = netip.MustParseAddr("127.0.0.99")
		if got := socketOption(t, &c, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT); got != 1 {
			t.Errorf("IP_BIND_ADDRESS_NO_PORT is %d", got)
		}
	})
}

// socketOption returns the option of a connection that the check of c makes.
func socketOption(t *testing.T, c *Config, level, option int) (value int) {
	t.Helper()
	caller := newCaller(c, "tcp", nil)
	conn, err := caller.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(syscall.Conn).SyscallConn()
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

func serve(t *testing.T, l net.Listener, h http.HandlerFunc) {
	t.Helper()
	s := &http.Server{Handler: h, ErrorLog: nil}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
}

func TestHTTP(t *testing.T) {
	mux := http.NewServeMux()
	var seen atomic.Pointer[http.Request]
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r)
		io.WriteString(w, "all is well\n")
	})
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		var code int
		fmt.Sscan(r.PathValue("code"), &code)
		w.WriteHeader(code)
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
	})
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "late\n")
	})
	mux.HandleFunc("/chunks", func(w http.ResponseWriter, r *http.Request) {
		for range 3 {
			io.WriteString(w, "ch")
			w.(http.Flusher).Flush()
			io.WriteString(w, "unk ")
		}
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		page := []byte(strings.Repeat("x", 1<<16))
		for r.Context().Err() == nil {
			w.Write(page)
		}
	})
	l := listen(t, "127.0.0.1:0")
	serve(t, l, mux.ServeHTTP)

	tests := []struct {
		name string
		set  func(*HTTPConfig)
		want string
	}{
		{"well", func(*HTTPConfig) {}, ""},
		{"204 is in 200-299", func(h *HTTPConfig) { h.Path = "/status/204" }, ""},
		{"503", func(h *HTTPConfig) { h.Path = "/status/503" }, "HTTP 503 Service Unavailable, want 200-299"},
		{"a code of nobody", func(h *HTTPConfig) { h.Path = "/status/599" }, "HTTP 599, want 200-299"},
		{"wanted 404", func(h *HTTPConfig) { h.Path, h.Status = "/status/404", []StatusRange{{200, 204}, {404, 404}} }, ""},
		{"unwanted 200", func(h *HTTPConfig) { h.Status = []StatusRange{{201, 204}, {404, 404}} }, "HTTP 200 OK, want 201-204, 404"},
		{"redirects are not followed", func(h *HTTPConfig) { h.Path = "/moved" }, `HTTP 302 Found to "https://elsewhere.example/", want 200-299`},
		{"wanted redirect", func(h *HTTPConfig) { h.Path, h.Status = "/moved", []StatusRange{{302, 302}} }, ""},
		{"interim answers", func(h *HTTPConfig) { h.Path, h.Body = "/early", regexp.MustCompile("^late") }, ""},
		{"body", func(h *HTTPConfig) { h.Body = regexp.MustCompile(`^all is \w+$`) }, `body "all is well\n" does not match "^all is \\w+$"`},
		{"body matches", func(h *HTTPConfig) { h.Body = regexp.MustCompile(`(?m)^all is \w+$`) }, ""},
		{"body in chunks", func(h *HTTPConfig) { h.Path, h.Body = "/chunks", regexp.MustCompile("^(chunk ){3}$") }, ""},
		{"HEAD", func(h *HTTPConfig) { h.Method = "HEAD" }, ""},
		{"an endless body is read no further than 1 MiB", func(h *HTTPConfig) { h.Path = "/endless" }, ""},
		{"and matched no further", func(h *HTTPConfig) { h.Path, h.Body = "/endless", regexp.MustCompile("y") },
			`body "` + strings.Repeat("x", 60) + `"... (1048576 bytes) does not match "y"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := at(HTTP, l.Addr())
			tt.set(&c.HTTP)
			wantReason(t, ask(t, c), tt.want)
		})
	}

	t.Run("request", func(t *testing.T) {
		c := at(HTTP, l.Addr())
		c.HTTP.Host, c.HTTP.Path, c.HTTP.Method = "www.example.com:8080", "/healthz?full=1", "OPTIONS"
		wantReason(t, ask(t, c), "")
		r := seen.Load()
		if got, want := fmt.Sprint(r.Method, " ", r.URL, " ", r.Proto, " ", r.Host, " ", r.Close), "OPTIONS /healthz?full=1 HTTP/1.1 www.example.com:8080 true"; got != want {
			t.Errorf("request %s, want %s", got, want)
		}
	})
	t.Run("the host is the address", func(t *testing.T) {
		wantReason(t, ask(t, at(HTTP, l.Addr())), "")
		if got, want := seen.Load().Host, l.Addr().String(); got != want {
			t.Errorf("host %s, want %s", got, want)
		}
	})
}

func TestHostOf(t *testing.T) {
	tests := []struct {
		kind          Kind
		address, want string
	}{
		{HTTP, "192.0.2.1:80", "192.0.2.1"},
		{HTTP, "192.0.2.1:443", "192.0.2.1:443"},
		{HTTPS, "192.0.2.1:443", "192.0.2.1"},
		{HTTP, "[2001:db8::1]:80", "[2001:db8::1]"},
		{HTTP, "[2001:db8::1]:8080", "[2001:db8::1]:8080"},
		{HTTP, "[fe80::1%eth0]:8080", "[fe80::1]:8080"},
	}
	for _, tt := range tests {
		c := Config{Kind: tt.kind, Address: netip.MustParseAddrPort(tt.address)}
		if got := hostOf(&c); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.kind, tt.address, got, tt.want)
		}
	}
}

// TestRawAnswers is about servers that do not speak HTTP as they should.
func TestRawAnswers(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\n"
	tests := []struct {
		name   string
		answer string
		hang   bool // leave the connection open after the answer
		want   string
	}{
		{"HTTP/1.0 without a length", "HTTP/1.0 200 OK\r\n\r\nhello", false, ""},
		{"a body that is shorter than said", head + "Content-Length: 10\r\n\r\nhello", false, "body: the server closed the connection too early"},
		{"a body that does not end", head + "Content-Length: 10\r\n\r\nhello", true, "body: timeout after 200ms"},
		{"no answer", "", false, "answer: the server closed the connection too early"},
		{"silence", "", true, "answer: timeout after 200ms"},
		{"half a head", head + "Content-", false, `answer: malformed MIME header: missing colon: "Content-"`},
		{"another protocol", "220 mail.example ESMTP\r\n", true, `answer: malformed HTTP status code "mail.example"`},
		{"an endless head", head + strings.Repeat("X: y\r\n", 200_000), true, "answer: the head is longer than 65536 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := listen(t, "127.0.0.1:0")
			over := make(chan struct{})
			t.Cleanup(func() { close(over) })
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				conn.Read(make([]byte, 4096))
				io.WriteString(conn, tt.answer)
				if tt.hang {
					<-over
				}
			}()
			c := at(HTTP, l.Addr())
			if tt.hang {
				c.Timeout = 200 * time.Millisecond
			}
			wantReason(t, ask(t, c), tt.want)
		})
	}
}

func TestHTTPS(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	named := ca.issue(t, "www.example.com", 2*time.Hour)
	addressed := ca.issue(t, "127.0.0.1", 2*time.Hour)
	expired := ca.issue(t, "www.example.com", 30*time.Minute)
	roots := func(h *HTTPConfig) { h.TLS.RootCAs = ca.pool() }
	tests := []struct {
		name string
		cert tls.Certificate
		set  func(*HTTPConfig)
		want string // a beginning
	}{
		{"by host", named, func(h *HTTPConfig) { roots(h); h.Host = "www.example.com:8443" }, ""},
		{"by server name", named, func(h *HTTPConfig) { roots(h); h.Host, h.TLS.ServerName = "other.example", "www.example.com" }, ""},
		{"by address", addressed, roots, ""},
		{"another name", named, func(h *HTTPConfig) { roots(h); h.Host = "other.example" },
			"TLS: certificate is valid for www.example.com, not other.example"},
		{"the address is not in it", named, roots,
			"TLS: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs"},
		{"expired", expired, func(h *HTTPConfig) { roots(h); h.Host = "www.example.com" },
			"TLS: certificate has expired or is not yet valid: current time "},
		{"another CA", named, func(h *HTTPConfig) { h.TLS.RootCAs, h.Host = other.pool(), "www.example.com" },
			"TLS: certificate signed by unknown authority"},
		{"not verified", expired, func(h *HTTPConfig) { h.TLS.InsecureSkipVerify = true }, ""},
		{"status", named, func(h *HTTPConfig) { roots(h); h.Host, h.Path = "www.example.com", "/down" },
			"HTTP 503 Service Unavailable, want 200-299"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := tls.NewListener(listen(t, "127.0.0.1:0"), &tls.Config{Certificates: []tls.Certificate{tt.cert}})
			serveQuietly(t, l)
			c := at(HTTPS, l.Addr())
			tt.set(&c.HTTP)
			got := ask(t, c)
			if tt.want == "" && got != "" || !strings.HasPrefix(got, tt.want) {
				t.Errorf("reason %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("the caller's configuration stays as it is", func(t *testing.T) {
		c := at(HTTPS, listen(t, "127.0.0.1:0").Addr())
		newHTTPProber(&c)
		if got := c.HTTP.TLS; got.ServerName != "" || got.ClientSessionCache != nil || got.NextProtos != nil {
			t.Errorf("server name %q, session cache %v, protocols %v", got.ServerName, got.ClientSessionCache, got.NextProtos)
		}
	})
	t.Run("the server speaks no TLS", func(t *testing.T) {
		l := listen(t, "127.0.0.1:0")
		serveQuietly(t, l)
		wantReason(t, ask(t, at(HTTPS, l.Addr())), "TLS: first record does not look like a TLS handshake")
	})
	t.Run("the server says nothing", func(t *testing.T) {
		c := at(HTTPS, listen(t, "127.0.0.1:0").Addr())
		c.Timeout = 50 * time.Millisecond
		wantReason(t, ask(t, c), "TLS: timeout after 50ms")
	})
}
