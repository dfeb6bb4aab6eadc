package probe

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/md5"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// packed returns a text as a compressor makes it.
func packed(t *testing.T, open func(io.Writer) io.WriteCloser, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := open(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func gzipped(w io.Writer) io.WriteCloser  { return gzip.NewWriter(w) }
func deflated(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }

// TestHTTPBody is about all that is asked of a body.
func TestHTTPBody(t *testing.T) {
	long := strings.Repeat("x", 300_000)
	state := `{"status": "ok", "load": 0.5, "up": true, "none": null, "checks": [{"name": "db", "state": "up"}, {"a.b": 7}], "weight": "30%"}`
	bodies := map[string]string{
		"/text": "all is well\n", "/long": long + "needle" + long, "/state": state,
		"/long-state": `{"pad": "` + long + `", "status": "ok"}`, "/broken": `{"status": "ok"`, "/deep": strings.Repeat("[", 200),
		"/two": `{"status": "ok"} {}`, "/empty": "",
	}
	l := listen(t, "127.0.0.1:0")
	serve(t, l, func(w http.ResponseWriter, r *http.Request) {
		body := bodies[r.URL.Path]
		switch coding := r.URL.Query().Get("coding"); coding {
		case "":
		case "gzip":
			body = packed(t, gzipped, body)
			w.Header().Set("Content-Encoding", coding)
		case "deflate":
			body = packed(t, deflated, body)
			w.Header().Set("Content-Encoding", coding)
		default:
			w.Header().Set("Content-Encoding", coding)
		}
		w.Header().Add("X-State", "a")
		w.Header().Add("X-State", "b")
		io.WriteString(w, body)
	})
	const toLong = `"... (600006 bytes)`
	excerpted := `"` + strings.Repeat("x", 60) + toLong
	digestOf := func(sum []byte) func(*HTTP) { return func(h *HTTP) { h.Digest = fmt.Sprintf("%X", sum) } }
	md5sum, shasum := md5.Sum([]byte(bodies["/text"])), sha256.Sum256([]byte(bodies["/long"]))
	json := func(path, pattern string) func(*HTTP) {
		return func(h *HTTP) { h.JSON = append(h.JSON, Field{path, pattern}) }
	}
	tests := []struct {
		name, path string
		set        func(*HTTP)
		want       string
	}{
		{"header", "/text", func(h *HTTP) { h.ExpectHeaders = []Field{{"x-state", "^a, b$"}} }, ""},
		{"other header", "/text", func(h *HTTP) { h.ExpectHeaders = []Field{{"X-State", "c"}} }, `header X-State is "a, b", which does not match "c"`},
		{"no header", "/text", func(h *HTTP) { h.ExpectHeaders = []Field{{"X-None", ""}} }, `the answer has no header X-None, want one that matches ""`},

		{"across pieces", "/long", func(h *HTTP) { h.Body = "xneedlex" }, ""},
		{"in none", "/long", func(h *HTTP) { h.Body = "y" }, "body " + excerpted + ` does not match "y"`},
		{"not wanted and not there", "/long", func(h *HTTP) { h.BodyNot = "y" }, ""},
		{"not wanted", "/long", func(h *HTTP) { h.BodyNot = "needle" }, "body " + excerpted + ` matches "needle", which it must not`},
		{"both", "/long", func(h *HTTP) { h.Body, h.BodyNot = "needle", "pin" }, ""},
		{"both, the second fails", "/text", func(h *HTTP) { h.Body, h.BodyNot = "all", "well" }, `body "all is well\n" matches "well", which it must not`},
		{"not in the part that is read", "/long", func(h *HTTP) { h.BodyNot, h.MaxBody = "needle", 100 }, ""},

		{"MD5", "/text", digestOf(md5sum[:]), ""},
		{"SHA-256 of a long body", "/long", digestOf(shasum[:]), ""},
		{"digest and regular expression", "/long", func(h *HTTP) { digestOf(shasum[:])(h); h.Body = "needle" }, ""},
		{"another digest", "/empty", digestOf(md5sum[:]), fmt.Sprintf("the digest of the body is d41d8cd98f00b204e9800998ecf8427e, want %x", md5sum)},
		{"digest of a body that is cut", "/long", func(h *HTTP) { digestOf(shasum[:])(h); h.MaxBody = 1000 },
			"the digest of the body is not known, because the body is longer than 1000 bytes (max_body)"},

		{"JSON", "/state", json("status", "^ok$"), ""},
		{"JSON number", "/state", json("load", `^0\.5$`), ""},
		{"JSON boolean", "/state", json("up", "^true$"), ""},
		{"JSON null", "/state", json("none", "^null$"), ""},
		{"JSON in a list", "/state", json("checks.0.state", "^up$"), ""},
		{"JSON pointer", "/state", json("/checks/1/a.b", "^7$"), ""},
		{"other JSON", "/state", json("status", "^down$"), `JSON value status is "ok", which does not match "^down$"`},
		{"no JSON value", "/state", json("state", "ok"), `JSON value state is missing, want one that matches "ok"`},
		{"JSON object", "/state", json("checks.0", "ok"), `JSON value checks.0 is an object, want a text or number that matches "ok"`},
		{"long JSON", "/long-state", json("status", "^ok$"), ""},
		{"long JSON that is cut", "/long-state", func(h *HTTP) { json("status", "ok")(h); h.MaxBody = 100 },
			`JSON value status is missing in its first 100 bytes, and the rest is not read (max_body), want one that matches "ok"`},
		{"broken JSON", "/broken", json("status", "ok"), `body "{\"status\": \"ok\"" is not JSON: it ends too early`},
		{"no JSON", "/text", json("status", "ok"), `body "all is well\n" is not JSON: invalid character 'a' looking for beginning of value`},
		{"two JSON values", "/two", json("status", "ok"), `body "{\"status\": \"ok\"} {}" is not JSON: something follows the value`},
		{"deep JSON", "/deep", json("status", "ok"), `body "` + strings.Repeat("[", 60) + `"... (200 bytes) is not JSON: values are nested more than 100 deep`},

		{"gzip", "/long?coding=gzip", func(h *HTTP) { h.Body = "needle" }, ""},
		{"gzip that does not match", "/text?coding=gzip", func(h *HTTP) { h.Body = "ill" }, `body "all is well\n" does not match "ill"`},
		{"deflate", "/text?coding=deflate", func(h *HTTP) { h.Body = "^all" }, ""},
		{"another coding", "/text?coding=br", func(h *HTTP) { h.Body = "^all" }, `body: the content coding is "br", which nobody asked for`},
		{"another coding that nobody looks into", "/text?coding=br", digestOf(md5sum[:]), ""},
		{"not gzip", "/text?coding=x-gzip", func(h *HTTP) { h.Body = "^all" }, "body: gzip: invalid header"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := defaultHTTP
			s.Path = tt.path
			tt.set(&s)
			wantReason(t, ask(t, s, at(l.Addr())), tt.want)
		})
	}
}

// TestBodyBounds: no answer makes an attempt hold much memory or last for long.
func TestBodyBounds(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	zeros := strings.Repeat(packed(t, gzipped, strings.Repeat("\x00", 1<<20)), 50) // RFC 1952 §2.2: members follow each other
	piece := strings.Repeat("y", 1<<16)
	serve(t, l, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, zeros)
		case "/drops":
			for r.Context().Err() == nil {
				io.WriteString(w, "x")
				w.(http.Flusher).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		case "/10MiB":
			for range 10 << 4 {
				io.WriteString(w, piece)
			}
		}
	})
	tests := []struct {
		name string
		set  func(*HTTP)
		want string
	}{
		{"a bomb", func(h *HTTP) { h.Path, h.Body = "/bomb", "x" },
			`body "` + strings.Repeat(`\x00`, 60) + `"... (1048576 bytes) does not match "x" in its first 1048576 bytes, and the rest is not read (max_body)`},
		{"a byte now and then", func(h *HTTP) { h.Path, h.Body = "/drops", "y" }, "body: timeout after 500ms"},
		{"10 MiB", func(h *HTTP) { h.Path = "/10MiB" }, ""},
		{"10 MiB that do not match", func(h *HTTP) { h.Path, h.Body, h.BodyNot = "/10MiB", "y", "z" }, ""},
		{"10 MiB that are no JSON", func(h *HTTP) { h.Path, h.JSON = "/10MiB", []Field{{"a", "b"}} },
			`JSON value a is missing in its first 1048576 bytes, and the rest is not read (max_body), want one that matches "b"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, c := defaultHTTP, at(l.Addr())
			tt.set(&s)
			c.Timeout = 30 * time.Second // 10 MiB take their time on a busy machine
			if strings.Contains(tt.want, "timeout") {
				c.Timeout = hung
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := ask(t, s, c)
			runtime.ReadMemStats(&after)
			wantReason(t, got, tt.want)
			// The server of the test allocates too, but none of it holds the body.
			if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
				t.Errorf("the attempt allocated %d bytes", used)
			}
		})
	}
}

// A body may end with its connection, also without close_notify. RFC 9112 §9.8 calls
// such a body incomplete, but many servers end theirs like that, and crypto/tls and
// keepalived accept it.
func TestEndWithoutCloseNotify(t *testing.T) {
	ca := newCA(t)
	l := tls.NewListener(listen(t, "127.0.0.1:0"), &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", 2*time.Hour)}})
	go func() {
		for polite := false; ; polite = true {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 4096))
			io.WriteString(conn, "HTTP/1.0 200 OK\r\n\r\nhello")
			if polite {
				conn.Close()
			} else {
				conn.(*tls.Conn).NetConn().Close()
			}
		}
	}()
	s := https()
	s.TLS.CA, s.Body = ca.pem(), "^hello$"
	wantReason(t, ask(t, s, at(l.Addr())), "")
	wantReason(t, ask(t, s, at(l.Addr())), "")
}
