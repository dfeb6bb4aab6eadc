package checker

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
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

func TestRequestIsSentAtOnce(t *testing.T) {
	c := at(HTTP, listen(t, "127.0.0.1:0").Addr())
	p := newHTTPProber(&c)
	if got := socketOption(t, &p.caller, unix.IPPROTO_TCP, unix.TCP_NODELAY); got == 0 {
		t.Error("TCP_NODELAY is not set")
	}
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
		{"a body that does not end", head + "Content-Length: 10\r\n\r\nhello", true, "body: timeout after 500ms"},
		{"no answer", "", false, "answer: the server closed the connection too early"},
		{"silence", "", true, "answer: timeout after 500ms"},
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
			c := at(HTTP, l.Addr())
			if strings.Contains(tt.want, "timeout") {
				c.Timeout = hung
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
		c.Timeout = hung
		wantReason(t, ask(t, c), "TLS: timeout after 500ms")
	})
}
