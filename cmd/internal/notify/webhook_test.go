package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/event"
)

func hook(url string, change func(*WebhookOptions)) *Webhook {
	o := WebhookOptions{URL: url, Timeout: testTimeout, Director: "lvs1"}
	if change != nil {
		change(&o)
	}
	return NewWebhook(o)
}

func TestWebhookPostsSignedDocuments(t *testing.T) {
	type request struct {
		method, path, host, body string
		header                   http.Header
	}
	requests := make(chan request, 10)
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- request{r.Method, r.URL.String(), r.Host, string(body), r.Header}
	}))
	defer server.Close()
	w := hook(server.URL+"/hook?x=1", func(o *WebhookOptions) {
		o.Secret, o.Token = "key", "bearer"
		o.Headers = map[string]string{"X-Team": "net", "Host": "alerts.example"}
		o.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	})
	defer w.Close()
	events := []event.Event{{Seq: 1, Kind: "group", Subject: "a<b", Group: &event.Group{Members: []string{"x"}}}, {Seq: 2}}
	if n, err := w.Deliver(t.Context(), events); n != 2 || err != nil {
		t.Fatalf("delivered %d: %v", n, err)
	}
	r := <-requests
	if want := `{"version":1,"director":"lvs1","event":{"seq":1,"at":"0001-01-01T00:00:00Z","kind":"group","subject":"a\u003cb"}}`; r.body != want || !json.Valid([]byte(r.body)) {
		t.Errorf("body %s, want %s", r.body, want)
	}
	mac := hmac.New(sha256.New, []byte("key"))
	mac.Write([]byte(r.body))
	for name, want := range map[string]string{
		"Holdfast-Signature": "sha256=" + hex.EncodeToString(mac.Sum(nil)), "Content-Type": "application/json",
		"Authorization": "Bearer bearer", "X-Team": "net", "User-Agent": "holdfast",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("header %s: %q, want %q", name, got, want)
		}
	}
	if r.method != "POST" || r.path != "/hook?x=1" || r.host != "alerts.example" {
		t.Errorf("%s %s of %s", r.method, r.path, r.host)
	}
	if r := <-requests; !strings.Contains(r.body, `"seq":2`) {
		t.Errorf("the second body is %s", r.body)
	}
}

// A server may end the connection after each answer, without saying so.
func TestWebhookMeetsTheEndOfAConnection(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := out.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
		conn.Close()
	}))
	server.Start()
	defer server.Close()
	w := hook(server.URL, nil)
	defer w.Close()
	events := make([]event.Event, 300)
	if n, err := w.Deliver(t.Context(), events); n != len(events) || err != nil {
		t.Errorf("delivered %d: %v", n, err)
	}
}

// An answer tells whether it is of use to try again.
func TestWebhookAnswers(t *testing.T) {
	for _, test := range []struct {
		code    int
		want    string
		refused bool
	}{
		{204, "", false},
		{302, "answer 302 Found no way", true},
		{400, "answer 400 Bad Request no way", true},
		{408, "answer 408 Request Timeout no way", false},
		{429, "answer 429 Too Many Requests no way", false},
		{500, "answer 500 Internal Server Error no way", false},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(test.code)
			_, _ = io.WriteString(w, "no way\nand more")
		}))
		w := hook(server.URL, nil)
		n, err := w.Deliver(t.Context(), []event.Event{{}})
		refused := (*Refused)(nil)
		switch {
		case test.want == "":
			if n != 1 || err != nil {
				t.Errorf("%d: delivered %d, %v", test.code, n, err)
			}
		case n != 0 || err == nil || err.Error() != test.want || errors.As(err, &refused) != test.refused:
			t.Errorf("%d: delivered %d, %v; want %s, refused %t", test.code, n, err, test.want, test.refused)
		}
		w.Close()
		server.Close()
	}
}

func TestWebhookDoesNotWaitForEver(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer server.Close()
	defer close(hang)
	w := hook(server.URL, func(o *WebhookOptions) { o.Timeout = 50 * time.Millisecond })
	defer w.Close()
	if n, err := w.Deliver(t.Context(), []event.Event{{}}); n != 0 || err == nil || errors.As(err, new(*Refused)) {
		t.Errorf("delivered %d: %v", n, err)
	}
}

// The URL of a webhook is often a secret, and errors are shown in the log, the status
// and mail. So no error contains the URL.
func TestWebhookErrorsKeepTheURL(t *testing.T) {
	w := hook("http://127.0.0.1:1/services/T0/B0/s3cret", nil)
	defer w.Close()
	_, err := w.Deliver(t.Context(), []event.Event{{}})
	if want := "post: dial tcp 127.0.0.1:1: connect: connection refused"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
