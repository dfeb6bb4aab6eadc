package probe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A recorder serves HTTP and notes each request and the connection that it came over.
type recorder struct {
	mu    sync.Mutex
	seen  []string
	ports []string
}

func (r *recorder) note(req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	line := req.Method + " " + req.RequestURI + " " + req.Proto + " " + req.Host
	if len(body) > 0 {
		line += " " + string(body)
	}
	r.seen = append(r.seen, line)
	r.ports = append(r.ports, req.RemoteAddr)
}

// took returns the requests since it was last called, and over how many connections
// they came.
func (r *recorder) took() ([]string, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen, ports := r.seen, r.ports
	r.seen, r.ports = nil, nil
	slices.Sort(ports)
	return seen, len(slices.Compact(ports))
}

func (r *recorder) want(t *testing.T, connections int, want ...string) {
	t.Helper()
	seen, n := r.took()
	if !slices.Equal(seen, want) || n != connections {
		t.Errorf("over %d connections:\n%s\nwant over %d:\n%s", n, strings.Join(seen, "\n"), connections, strings.Join(want, "\n"))
	}
}

// requests returns settings with several requests that differ from the default as told.
func requests(all ...func(*HTTPRequest)) HTTP {
	s := defaultHTTP
	for _, set := range all {
		r := defaultRequest
		set(&r)
		s.Requests = append(s.Requests, r)
	}
	return s
}

func path(p string) func(*HTTPRequest) { return func(r *HTTPRequest) { r.Path = p } }

func TestRequests(t *testing.T) {
	var rec recorder
	l := listen(t, "127.0.0.1:0")
	serve(t, l, func(w http.ResponseWriter, r *http.Request) {
		rec.note(r)
		switch r.URL.Path {
		case "/down":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/close":
			w.Header().Set("Connection", "close")
		case "/big":
			io.WriteString(w, strings.Repeat("x", 600_000))
		}
	})
	host := " HTTP/1.1 " + l.Addr().String()
	t.Run("one connection", func(t *testing.T) {
		wantReason(t, ask(t, requests(path("/a"), path("/b"), path("/c")), at(l.Addr())), "")
		rec.want(t, 1, "GET /a"+host, "GET /b"+host, "GET /c"+host)
	})
	t.Run("the server ends it", func(t *testing.T) {
		wantReason(t, ask(t, requests(path("/a"), path("/close"), path("/c")), at(l.Addr())), "")
		rec.want(t, 2, "GET /a"+host, "GET /close"+host, "GET /c"+host)
	})
	t.Run("the second fails", func(t *testing.T) {
		wantReason(t, ask(t, requests(path("/a"), path("/down"), path("/c")), at(l.Addr())),
			"request 2 (/down): HTTP 503 Service Unavailable, want 200-299")
		rec.want(t, 1, "GET /a"+host, "GET /down"+host)
	})
	t.Run("the bound is that of all bodies", func(t *testing.T) {
		s := requests(path("/big"), path("/big"))
		s.Requests[1].Body = "y"
		wantReason(t, ask(t, s, at(l.Addr())), `request 2 (/big): body "`+strings.Repeat("x", 60)+
			`"... (448576 bytes) does not match "y" in its first 448576 bytes, and the rest is not read (max_body)`)
		rec.took()
	})
	t.Run("what is sent", func(t *testing.T) {
		s := defaultHTTP
		s.Method, s.Send, s.Path = "POST", "q=1", "/form"
		s.Headers = []Field{{"Content-Type", "application/x-www-form-urlencoded"}, {"user-agent", "nobody"}}
		wire := string(s.newMessage(&s.HTTPRequest, at(l.Addr()).Address, true).wire)
		want := "POST /form HTTP/1.1\r\nHost: " + l.Addr().String() + "\r\nAccept: */*\r\nConnection: close\r\n" +
			"Content-Type: application/x-www-form-urlencoded\r\nuser-agent: nobody\r\nContent-Length: 3\r\n\r\nq=1"
		if wire != want {
			t.Errorf("request %q, want %q", wire, want)
		}
		wantReason(t, ask(t, s, at(l.Addr())), "")
		rec.want(t, 1, "POST /form"+host+" q=1")
	})
	t.Run("HTTP/1.0 as keepalived sends it", func(t *testing.T) {
		s := defaultHTTP
		s.Version, s.Headers = "1.0", []Field{{"User-Agent", "KeepAliveClient"}, {"Connection", "close"}}
		wantReason(t, ask(t, s, at(l.Addr())), "")
		rec.want(t, 1, "GET / HTTP/1.0 "+l.Addr().String())
	})
	t.Run("to a proxy", func(t *testing.T) {
		s := defaultHTTP
		s.Proxy, s.Host, s.Path = true, "www.example.com:8080", "/index.html"
		wantReason(t, ask(t, s, at(l.Addr())), "")
		rec.want(t, 1, "GET http://www.example.com:8080/index.html HTTP/1.1 www.example.com:8080")
	})
}

func TestRedirects(t *testing.T) {
	var rec recorder
	l, other := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	_, otherPort, _ := net.SplitHostPort(other.Addr().String())
	serve(t, other, func(w http.ResponseWriter, r *http.Request) { rec.note(r) })
	serve(t, l, func(w http.ResponseWriter, r *http.Request) {
		rec.note(r)
		to := map[string]string{
			"/a": "/b", "/b": "c?x=1", "/self": "/self", "/full": "http://WWW.example.com/end", "/port": "http://www.example.com:" + otherPort + "/end",
			"/away": "http://elsewhere.example/", "/tls": "https://www.example.com/", "/kept": "/end", "/none": "", "/odd": "ftp://www.example.com/", "/bad": "http://www.example.com:0/",
		}
		code := http.StatusFound
		if r.URL.Path == "/kept" {
			code = http.StatusTemporaryRedirect
		}
		if location, ok := to[r.URL.Path]; ok {
			w.Header().Set("Location", location)
			w.WriteHeader(code)
			io.WriteString(w, "elsewhere")
		}
	})
	const host = " HTTP/1.1 www.example.com"
	tests := []struct {
		path, want  string
		connections int
		seen        []string
	}{
		{"/a", "", 1, []string{"POST /a" + host + " data", "GET /b" + host, "GET /c?x=1" + host}},
		{"/kept", "", 1, []string{"POST /kept" + host + " data", "POST /end" + host + " data"}},
		{"/full", "", 1, []string{"POST /full" + host + " data", "GET /end HTTP/1.1 WWW.example.com"}},
		{"/port", "", 2, []string{"POST /port" + host + " data", "GET /end" + host + ":" + otherPort}},
		{"/self", `HTTP 302 Found to "/self", want 200-299 (after 3 redirects)`, 1,
			[]string{"POST /self" + host + " data", "GET /self" + host, "GET /self" + host, "GET /self" + host}},
		{"/away", `HTTP 302 Found to "http://elsewhere.example/", want 200-299`, 1, []string{"POST /away" + host + " data"}},
		{"/tls", `HTTP 302 Found to "https://www.example.com/", want 200-299`, 1, []string{"POST /tls" + host + " data"}},
		{"/none", "HTTP 302 Found, want 200-299", 1, []string{"POST /none" + host + " data"}},
		{"/odd", `HTTP 302 Found to "ftp://www.example.com/", want 200-299`, 1, []string{"POST /odd" + host + " data"}},
		{"/bad", `HTTP 302 Found to "http://www.example.com:0/", want 200-299`, 1, []string{"POST /bad" + host + " data"}},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			s := defaultHTTP
			s.Method, s.Send, s.Host, s.Path, s.Redirects = "POST", "data", "www.example.com", tt.path, 3
			wantReason(t, ask(t, s, at(l.Addr())), tt.want)
			rec.want(t, tt.connections, tt.seen...)
		})
	}
	t.Run("a wanted redirect is not followed", func(t *testing.T) {
		s := defaultHTTP
		s.Path, s.Redirects, s.Status = "/a", 3, []StatusRange{{302, 302}}
		wantReason(t, ask(t, s, at(l.Addr())), "")
		rec.want(t, 1, "GET /a HTTP/1.1 "+l.Addr().String())
	})
}

// A kept connection carries the next attempt. If the server has ended it, or ends it
// instead of an answer, the attempt makes a new one.
func TestReuse(t *testing.T) {
	var rec recorder
	l := listen(t, "127.0.0.1:0")
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec.note(r)
		switch r.URL.Path {
		case "/down":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/close":
			w.Header().Set("Connection", "close")
		}
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	s := defaultHTTP
	s.Reuse = true
	line := func(p string) string { return "GET " + p + " HTTP/1.1 " + l.Addr().String() }
	attempts := func(t *testing.T, s HTTP, n, connections int, want string) {
		t.Helper()
		p := newProber(t, s, at(l.Addr()))
		var lines []string
		for range n {
			wantReason(t, askWith(t, p, 5*time.Second), want)
			lines = append(lines, line(s.Path))
		}
		rec.want(t, connections, lines...)
	}
	t.Run("well", func(t *testing.T) { attempts(t, s, 3, 1, "") })
	s.Path = "/close"
	t.Run("the server wants to end it", func(t *testing.T) { attempts(t, s, 3, 3, "") })
	s.Path = "/down"
	t.Run("not well", func(t *testing.T) { attempts(t, s, 2, 2, "HTTP 503 Service Unavailable, want 200-299") })
	s.Path, s.Method = "/", "POST"
	t.Run("a POST is not sent twice", func(t *testing.T) {
		p := newProber(t, s, at(l.Addr()))
		wantReason(t, askWith(t, p, 5*time.Second), "")
		wantReason(t, askWith(t, p, 5*time.Second), "")
		if _, n := rec.took(); n != 2 {
			t.Errorf("two POST came over %d connections", n)
		}
	})
	s.Method = "GET"
	t.Run("the attempt before was ended", func(t *testing.T) {
		p := newProber(t, s, at(l.Addr()))
		ctx, cancel := context.WithCancel(t.Context())
		if err := p.Probe(ctx); err != nil {
			t.Fatal(err)
		}
		cancel() // as the checker does after each attempt
		wantReason(t, askWith(t, p, 5*time.Second), "")
		rec.want(t, 1, line("/"), line("/"))
	})
	t.Run("the server is gone", func(t *testing.T) {
		p := newProber(t, s, at(l.Addr()))
		wantReason(t, askWith(t, p, 5*time.Second), "")
		server.Close()
		wantReason(t, askWith(t, p, 5*time.Second), "connect: connection refused")
	})
}

// A server that ends connections is well, without a word or with one that nobody asked
// for (RFC 9110 §15.5.9): each attempt makes a new one.
func TestReuseOfAConnectionThatEnded(t *testing.T) {
	for name, tt := range map[string]struct {
		settings HTTP
		word     string
	}{
		"in steps, without a word": {defaultHTTP, ""},
		"in steps, with a word":    {defaultHTTP, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"},
		"waiting, without a word":  {twoRequests, ""},
		"waiting, with a word":     {twoRequests, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t, "127.0.0.1:0")
			ended := make(chan int)
			requests := len(tt.settings.requests())
			go func() {
				for n := 1; ; n++ {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					r := bufio.NewReader(conn)
					for range requests {
						http.ReadRequest(r)
						io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					}
					<-ended
					io.WriteString(conn, tt.word)
					conn.Close()
					ended <- n
				}
			}()
			tt.settings.Reuse = true
			p := newProber(t, tt.settings, at(l.Addr()))
			for want := 1; want <= 3; want++ {
				if got := askWith(t, p, 5*time.Second); got != "" {
					t.Fatalf("reason %q, want that all is well", got)
				}
				ended <- 0
				if n := <-ended; n != want {
					t.Errorf("attempt %d made connection %d", want, n)
				}
			}
		})
	}
}

// twoRequests cannot be made in steps.
var twoRequests = func() HTTP {
	s := defaultHTTP
	s.Requests = []HTTPRequest{defaultRequest, defaultRequest}
	return s
}()

// A server that takes a request on a kept connection and then ends or resets it gets the
// request once more, on a new connection.
func TestReuseOfAConnectionThatEndsInsteadOfAnAnswer(t *testing.T) {
	for name, end := range map[string]func(*net.TCPConn){
		"end":   func(c *net.TCPConn) { c.Close() },
		"reset": func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t, "127.0.0.1:0")
			requests := make(chan int, 10) // how many came on each connection
			go func() {
				for n := 1; ; n++ {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					r := bufio.NewReader(conn)
					answers := 1
					if n == 3 { // the third attempt has no other
						answers = 0
					}
					for range answers {
						http.ReadRequest(r)
						io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					}
					http.ReadRequest(r)
					end(conn.(*net.TCPConn))
					requests <- answers + 1
				}
			}()
			s := defaultHTTP
			s.Reuse = true
			p := newProber(t, s, at(l.Addr()))
			wantReason(t, askWith(t, p, 5*time.Second), "")
			wantReason(t, askWith(t, p, 5*time.Second), "") // on connections 1 and 2
			got := askWith(t, p, 5*time.Second)             // on connections 2 and 3
			if !strings.HasPrefix(got, "answer: ") {
				t.Errorf("reason %q, want that no answer came", got)
			}
			for i, want := range []int{2, 2, 1} {
				if n := <-requests; n != want {
					t.Errorf("%d requests on connection %d, want %d", n, i+1, want)
				}
			}
		})
	}
}

// A server that answers on a kept connection with the answer to an earlier request is
// not listened to.
func TestReuseOfADisorderlyServer(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	go func() {
		for n := 1; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for {
					if _, err := http.ReadRequest(r); err != nil {
						return
					}
					// The answer, and one more.
					fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%dHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", n)
				}
			}()
		}
	}()
	s := defaultHTTP
	s.Reuse = true
	p := newProber(t, s, at(l.Addr()))
	for range 3 {
		wantReason(t, askWith(t, p, 5*time.Second), "")
	}
}

func TestHTTPWeight(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	var mu sync.Mutex
	header, body := "", ""
	serve(t, l, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if header != "" {
			w.Header().Set("X-Weight", header)
		}
		io.WriteString(w, body)
	})
	s := defaultHTTP
	s.WeightHeader, s.WeightJSON = "x-weight", "load.weight"
	p := newProber(t, s, at(l.Addr())).(Weigher)
	tests := []struct{ header, body, want, warning string }{
		{"", "{}", "", ""},
		{"30", "", "30", ""},
		{" 50% ", "not JSON", "50%", ""},
		{"", `{"load": {"weight": 7}}`, "7", ""},
		{"30", `{"load": {"weight": "-5"}}`, "-5", ""},
		{"heavy", "", "", `the server gives itself "heavy", which is not a weight`},
		{"", `{"load": {"weight": {}}}`, "", ""},
	}
	for _, tt := range tests {
		mu.Lock()
		header, body = tt.header, tt.body
		mu.Unlock()
		w, err := p.ProbeWeight(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if w != nil {
			got = w.String()
		}
		if warning := p.(Warner).Warning(); got != tt.want || warning != tt.warning {
			t.Errorf("header %q, body %q: weight %q with warning %q, want %q with %q", tt.header, tt.body, got, warning, tt.want, tt.warning)
		}
	}
}
