package probe

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// TestHTTP2 asks a real server, over TLS and without.
func TestHTTP2(t *testing.T) {
	ca := newCA(t)
	var rec recorder
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Protocols: &protocols, ErrorLog: quiet,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", 2*time.Hour)}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec.note(r)
			switch r.URL.Path {
			case "/moved":
				http.Redirect(w, r, "/", http.StatusFound)
			case "/endless":
				for r.Context().Err() == nil {
					w.Write(make([]byte, 1<<16))
				}
			case "/hangs":
				<-r.Context().Done()
			default:
				w.Header().Set("X-Weight", "7")
				io.WriteString(w, "all is well")
			}
		}),
	}
	t.Cleanup(func() { server.Close() })
	plain, secure := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	go server.Serve(plain)
	go server.ServeTLS(secure, "", "")

	for _, l := range []net.Listener{plain, secure} {
		s := defaultHTTP
		if l == secure {
			s = https()
			s.TLS.CA = ca.pem()
		}
		s.Version = "2"
		host := " HTTP/2.0 " + l.Addr().String()
		t.Run(s.Kind(), func(t *testing.T) {
			s.Body = "^all"
			wantReason(t, ask(t, s, at(l.Addr())), "")
			rec.want(t, 1, "GET /"+host)
			if l == plain {
				named := s
				named.Host = "www.example.com" // without a port
				wantReason(t, ask(t, named, at(l.Addr())), "")
				rec.want(t, 1, "GET / HTTP/2.0 www.example.com")
			}
			s.Path, s.Redirects, s.Method, s.Send = "/moved", 1, "POST", "data"
			wantReason(t, ask(t, s, at(l.Addr())), "")
			rec.want(t, 1, "POST /moved"+host+" data", "GET /"+host)
			s.Redirects = 0
			wantReason(t, ask(t, s, at(l.Addr())), `HTTP 302 Found to "/", want 200-299`)
			s.Path, s.Body = "/endless", "x"
			if got := ask(t, s, at(l.Addr())); !strings.HasSuffix(got, `does not match "x" in its first 1048576 bytes, and the rest is not read (max_body)`) {
				t.Errorf("reason %q", got)
			}
			c := at(l.Addr())
			c.Timeout, s.Path = hung, "/hangs"
			wantReason(t, ask(t, s, c), "answer: timeout after 500ms")
			s.Path, s.WeightHeader, s.Body = "/", "X-Weight", ""
			if w, err := newProber(t, s, at(l.Addr())).(Weigher).ProbeWeight(t.Context()); err != nil || w == nil || w.N != 7 {
				t.Errorf("weight %v, %v", w, err)
			}
			rec.took()
		})
	}
	t.Run("the server does not offer it", func(t *testing.T) {
		l := tls.NewListener(listen(t, "127.0.0.1:0"), &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", 2*time.Hour)}})
		serveQuietly(t, l)
		s := https()
		s.TLS.CA, s.Version = ca.pem(), "2"
		wantReason(t, ask(t, s, at(l.Addr())), "TLS: the server does not offer HTTP/2 (ALPN h2)")
	})
	t.Run("the server does not know it", func(t *testing.T) {
		l := listen(t, "127.0.0.1:0")
		serveQuietly(t, l)
		s := defaultHTTP
		s.Version = "2"
		// It depends on what comes first: its error message or our request.
		if got := ask(t, s, at(l.Addr())); got != "answer: the server does not speak HTTP/2" && got != "answer: the server ended the connection before it spoke HTTP/2" {
			t.Errorf("reason %q", got)
		}
	})
}

// TestHTTP2Faults is about servers that do not answer as they should.
func TestHTTP2Faults(t *testing.T) {
	tests := []struct {
		name   string
		answer func(*http2.Framer)
		want   string
	}{
		{"GOAWAY", func(f *http2.Framer) { f.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, []byte("busy")) },
			"answer: the server sent GOAWAY with the code ENHANCE_YOUR_CALM instead of an answer"},
		{"GOAWAY without an error", func(f *http2.Framer) { f.WriteGoAway(0, http2.ErrCodeNo, nil) },
			"answer: the server sent GOAWAY with the code NO_ERROR instead of an answer"},
		{"a refused stream", func(f *http2.Framer) { f.WriteRSTStream(1, http2.ErrCodeRefusedStream) },
			"answer: the server reset the stream with the code REFUSED_STREAM"},
		{"the end of a stream that nobody opened", func(f *http2.Framer) { f.WriteContinuation(1, true, nil) },
			"answer: the server breaks the rules of HTTP/2 (PROTOCOL_ERROR)"},
		{"frames without end that mean nothing", func(f *http2.Framer) {
			for f.WritePing(true, [8]byte{}) == nil {
			}
		}, "answer: the server sent more than 3072 KiB without an end of its answer"},
		{"the end", func(*http2.Framer) {}, "answer: the server closed the connection too early"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := listen(t, "127.0.0.1:0")
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				io.ReadFull(conn, make([]byte, len(http2.ClientPreface)))
				f := http2.NewFramer(conn, conn)
				f.WriteSettings()
				for {
					frame, err := f.ReadFrame()
					if err != nil {
						return
					}
					if frame.Header().Type == http2.FrameHeaders {
						tt.answer(f)
						// To close with unread bytes would send a reset.
						conn.(*net.TCPConn).CloseWrite()
						io.Copy(io.Discard, conn)
						return
					}
				}
			}()
			s := defaultHTTP
			s.Version = "2"
			wantReason(t, ask(t, s, at(l.Addr())), tt.want)
		})
	}
}
