package probe

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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
	mux.HandleFunc("/bytes/{n}", func(w http.ResponseWriter, r *http.Request) {
		var n int
		fmt.Sscan(r.PathValue("n"), &n)
		io.WriteString(w, strings.Repeat("x", min(n, DefaultMaxBody))+strings.Repeat("y", max(n-DefaultMaxBody, 0)))
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
		set  func(*HTTP)
		want string
	}{
		{"well", func(*HTTP) {}, ""},
		{"204 is in 200-299", func(h *HTTP) { h.Path = "/status/204" }, ""},
		{"503", func(h *HTTP) { h.Path = "/status/503" }, "HTTP 503 Service Unavailable, want 200-299"},
		{"a code of nobody", func(h *HTTP) { h.Path = "/status/599" }, "HTTP 599, want 200-299"},
		{"wanted 404", func(h *HTTP) { h.Path, h.Status = "/status/404", []StatusRange{{200, 204}, {404, 404}} }, ""},
		{"unwanted 200", func(h *HTTP) { h.Status = []StatusRange{{201, 204}, {404, 404}} }, "HTTP 200 OK, want 201-204, 404"},
		{"redirects are not followed", func(h *HTTP) { h.Path = "/moved" }, `HTTP 302 Found to "https://elsewhere.example/", want 200-299`},
		{"wanted redirect", func(h *HTTP) { h.Path, h.Status = "/moved", []StatusRange{{302, 302}} }, ""},
		{"interim answers", func(h *HTTP) { h.Path, h.Body = "/early", "^late" }, ""},
		{"body", func(h *HTTP) { h.Body = `^all is \w+$` }, `body "all is well\n" does not match "^all is \\w+$"`},
		{"body matches", func(h *HTTP) { h.Body = `(?m)^all is \w+$` }, ""},
		{"body in chunks", func(h *HTTP) { h.Path, h.Body = "/chunks", "^(chunk ){3}$" }, ""},
		{"HEAD", func(h *HTTP) { h.Method = "HEAD" }, ""},
		{"an endless body is read no further than 1 MiB", func(h *HTTP) { h.Path = "/endless" }, ""},
		{"and matched no further", func(h *HTTP) { h.Path, h.Body = "/endless", "y" },
			`body "` + strings.Repeat("x", 60) + `"... (1048576 bytes) does not match "y" in its first 1048576 bytes, and the rest is not read (max_body)`},
		{"1 MiB is not cut", func(h *HTTP) { h.Path, h.Body = "/bytes/1048576", "y" },
			`body "` + strings.Repeat("x", 60) + `"... (1048576 bytes) does not match "y"`},
		{"a byte more is", func(h *HTTP) { h.Path, h.Body = "/bytes/1048577", "y" },
			`body "` + strings.Repeat("x", 60) + `"... (1048576 bytes) does not match "y" in its first 1048576 bytes, and the rest is not read (max_body)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := defaultHTTP
			tt.set(&s)
			wantReason(t, ask(t, s, at(l.Addr())), tt.want)
		})
	}

	t.Run("request", func(t *testing.T) {
		s := defaultHTTP
		s.Host, s.Path, s.Method = "www.example.com:8080", "/healthz?full=1", "OPTIONS"
		wantReason(t, ask(t, s, at(l.Addr())), "")
		r := seen.Load()
		if got, want := fmt.Sprint(r.Method, " ", r.URL, " ", r.Proto, " ", r.Host, " ", r.Close), "OPTIONS /healthz?full=1 HTTP/1.1 www.example.com:8080 true"; got != want {
			t.Errorf("request %s, want %s", got, want)
		}
	})
	t.Run("the host is the address", func(t *testing.T) {
		wantReason(t, ask(t, defaultHTTP, at(l.Addr())), "")
		if got, want := seen.Load().Host, l.Addr().String(); got != want {
			t.Errorf("host %s, want %s", got, want)
		}
	})
}

func TestRequestIsSentAtOnce(t *testing.T) {
	to := at(listen(t, "127.0.0.1:0").Addr())
	long := defaultHTTP
	long.Send = strings.Repeat("x", maxOneWrite)
	for _, s := range []HTTP{defaultHTTPS, long} {
		if got := optionOf(t, &newHTTPProber(s, to).dialer, unix.IPPROTO_TCP, unix.TCP_NODELAY); got == 0 {
			t.Error("TCP_NODELAY is not set")
		}
	}
}

func TestHostOf(t *testing.T) {
	tests := []struct {
		secure        bool
		address, want string
	}{
		{false, "192.0.2.1:80", "192.0.2.1"},
		{false, "192.0.2.1:443", "192.0.2.1:443"},
		{true, "192.0.2.1:443", "192.0.2.1"},
		{false, "[2001:db8::1]:80", "[2001:db8::1]"},
		{false, "[2001:db8::1]:8080", "[2001:db8::1]:8080"},
		{false, "[fe80::1%eth0]:8080", "[fe80::1]:8080"},
	}
	for _, tt := range tests {
		if got := hostOf(netip.MustParseAddrPort(tt.address), tt.secure); got != tt.want {
			t.Errorf("TLS %v %s: %s, want %s", tt.secure, tt.address, got, tt.want)
		}
	}
}

// TestRawAnswers is about servers that do not speak HTTP as they should.
func TestRawAnswers(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\n"
	const chunked = head + "Transfer-Encoding: chunked\r\n\r\n"
	const notLength = `body: the length of a chunk is not hexadecimal, or a blank is between it and ";"`
	tests := []struct {
		name   string
		answer string
		hang   bool // leave the connection open after the answer
		want   string
	}{
		{"HTTP/1.0 without a length", "HTTP/1.0 200 OK\r\n\r\nhello", false, ""},
		{"a body that is shorter than said", head + "Content-Length: 10\r\n\r\nhello", false, "body: the server closed the connection too early"},
		{"a body that does not end", head + "Content-Length: 10\r\n\r\nhello", true, "body: timeout after 500ms"},
		{"chunks with extensions", chunked + "5;name=value\r\nhello\r\n0;last\r\n\r\n", false, ""},
		{"a chunk's length that is padded", chunked + "5  \r\nhello\r\n0 \r\n\r\n", false, ""},
		{"a blank before an extension", chunked + "5 ;name\r\nhello\r\n0\r\n\r\n", false, notLength},
		{"a blank before the last extension", chunked + "5\r\nhello\r\n0 ;name\r\n\r\n", false, notLength},
		{"an endless extension of a chunk", chunked + "5;" + strings.Repeat("x", 100_000), true, "body: the line before a chunk is too long"},
		{"an endless trailer", chunked + "0\r\n" + strings.Repeat("X: y\r\n", 100_000), true, "body: the trailer is too long"},
		{"a chunk without a length", chunked + "hello\r\n0\r\n\r\n", false, notLength},
		{"no answer", "", false, "answer: the server closed the connection too early"},
		{"silence", "", true, "answer: timeout after 500ms"},
		{"half a status line", "HTTP/1.1 2", true, "answer: timeout after 500ms"},
		{"another protocol from now on", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", true, "HTTP 101 Switching Protocols, want 200-299"},
		{"many interim answers", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 10_000), true, "answer: the head is longer than 65536 bytes"},
		{"half a head", head + "Content-", false, `answer: malformed MIME header: missing colon: "Content-"`},
		{"another protocol", "220 mail.example ESMTP\r\n", true, `answer: malformed HTTP status code "mail.example"`},
		{"an endless head", head + strings.Repeat("X: y\r\n", 200_000), true, "answer: the head is longer than 65536 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
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
			c := at(l.Addr())
			if strings.Contains(tt.want, "timeout") {
				c.Timeout = hung
			}
			wantReason(t, ask(t, defaultHTTP, c), tt.want)
		})
	}
}

// https returns the default settings with TLS settings of their own.
func https() HTTP {
	s := defaultHTTPS
	s.TLS = DefaultTLS()
	return s
}

func TestHTTPS(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	named := ca.issue(t, "www.example.com", 2*time.Hour)
	addressed := ca.issue(t, "127.0.0.1", 2*time.Hour)
	expired := ca.issue(t, "www.example.com", 30*time.Minute)
	roots := func(h *HTTP) { h.TLS.CA = ca.pem() }
	tests := []struct {
		name string
		cert tls.Certificate
		set  func(*HTTP)
		want string // a beginning
	}{
		{"by host", named, func(h *HTTP) { roots(h); h.Host = "www.example.com:8443" }, ""},
		{"by server name", named, func(h *HTTP) { roots(h); h.Host, h.TLS.ServerName = "other.example", "www.example.com" }, ""},
		{"by address", addressed, roots, ""},
		{"another name", named, func(h *HTTP) { roots(h); h.Host = "other.example" },
			"TLS: certificate is valid for www.example.com, not other.example"},
		{"the address is not in it", named, roots,
			"TLS: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs"},
		{"expired", expired, func(h *HTTP) { roots(h); h.Host = "www.example.com" },
			"TLS: certificate has expired or is not yet valid: current time "},
		{"another CA", named, func(h *HTTP) { h.TLS.CA, h.Host = other.pem(), "www.example.com" },
			"TLS: certificate signed by unknown authority"},
		{"not verified", expired, func(h *HTTP) { h.TLS.Verify = false }, ""},
		{"status", named, func(h *HTTP) { roots(h); h.Host, h.Path = "www.example.com", "/down" },
			"HTTP 503 Service Unavailable, want 200-299"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := tls.NewListener(listen(t, "127.0.0.1:0"), &tls.Config{Certificates: []tls.Certificate{tt.cert}})
			serveQuietly(t, l)
			s := https()
			tt.set(&s)
			got := ask(t, s, at(l.Addr()))
			if tt.want == "" && got != "" || !strings.HasPrefix(got, tt.want) {
				t.Errorf("reason %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("the server speaks no TLS", func(t *testing.T) {
		l := listen(t, "127.0.0.1:0")
		serveQuietly(t, l)
		wantReason(t, ask(t, defaultHTTPS, at(l.Addr())), "TLS: first record does not look like a TLS handshake")
	})
	t.Run("the server says nothing", func(t *testing.T) {
		c := at(listen(t, "127.0.0.1:0").Addr())
		c.Timeout = hung
		wantReason(t, ask(t, defaultHTTPS, c), "TLS: timeout after 500ms")
	})
}
