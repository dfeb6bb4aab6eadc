package probe

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"sync/atomic"
	"testing"
	"time"
)

// provesIn reports whether a header is the proof of a password (RFC 7616 §3.4.1).
func provesIn(header, method, path, password string) bool {
	part := func(name string) string {
		m := regexp.MustCompile(`[ ,]` + name + `="?([^",]*)`).FindStringSubmatch(header)
		if m == nil {
			return ""
		}
		return m[1]
	}
	hash := func(format string, args ...any) string {
		return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, format, args...)))
	}
	want := hash("%s:n0nce:%s:%s:auth:%s", hash("%s:staff:%s", part("username"), password), part("nc"), part("cnonce"), hash("%s:%s", method, path))
	return part("response") == want && part("uri") == path && part("opaque") == "x"
}

// A server that asks for a digest gets one, for the path of each request. With a wrong
// password its answer is the verdict.
func TestDigestLogin(t *testing.T) {
	var asked atomic.Int32
	l := listen(t, "127.0.0.1:0")
	serve(t, l, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if !provesIn(r.Header.Get("Authorization"), r.Method, r.RequestURI, "right") {
			w.Header().Set("WWW-Authenticate", `Digest realm="staff", qop="auth", algorithm=SHA-256, nonce="n0nce", opaque="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/secret", http.StatusFound)
			return
		}
		io.WriteString(w, "the vault")
	})
	s := defaultHTTP
	s.Login, s.Auth, s.Path, s.Body = Login{User: "ann", Password: "right"}, AuthDigest, "/secret?x=1", "^the vault$"
	wantReason(t, ask(t, s, at(l.Addr())), "")
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
	s.Path, s.Redirects = "/moved", 1
	wantReason(t, ask(t, s, at(l.Addr())), "")
	s.Password = "wrong"
	wantReason(t, ask(t, s, at(l.Addr())), "HTTP 401 Unauthorized, want 200-299")
}

// A password goes with each request of its host, but not in the clear after TLS.
func TestBasicLogin(t *testing.T) {
	ca := newCA(t)
	var rec []string
	plain, secure := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	note := func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		rec = append(rec, r.URL.Path+" "+user+":"+password)
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/unsafe":
			http.Redirect(w, r, "http://"+plain.Addr().String()+"/", http.StatusFound)
		}
	}
	serve(t, plain, note)
	server := &http.Server{Handler: http.HandlerFunc(note), ErrorLog: quiet}
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", 2*time.Hour)}}
	t.Cleanup(func() { server.Close() })
	go server.ServeTLS(secure, "", "")

	s := https()
	s.TLS.CA = ca.pem()
	s.Login, s.Redirects = Login{User: "ann", Password: "right"}, 1
	s.Path = "/moved"
	wantReason(t, ask(t, s, at(secure.Addr())), "")
	s.Path = "/unsafe"
	wantReason(t, ask(t, s, at(secure.Addr())), "")
	want := []string{"/moved ann:right", "/ ann:right", "/unsafe ann:right", "/ :"}
	if fmt.Sprint(rec) != fmt.Sprint(want) {
		t.Errorf("asked %q, want %q", rec, want)
	}
}
