package control

import (
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/event"
)

func TestClientSaysWhenNobodyIsThere(t *testing.T) {
	dir := t.TempDir()
	missing, dead := filepath.Join(dir, "missing"), filepath.Join(dir, "dead")
	l, err := Listen(dead)
	if err != nil {
		t.Fatal(err)
	}
	l.UnixListener.Close()
	for path, want := range map[string]string{
		missing: "holdfast is not running: there is no control socket " + missing,
		dead:    "holdfast is not running: nobody listens on the control socket " + dead,
	} {
		if _, err := NewClient(path).Status(t.Context()); !errors.Is(err, ErrNotRunning) || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestClientUnderstandsStrangeAnswers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	answers := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "status") {
			http.Error(w, "oops", http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, "no JSON")
	})}
	go func() { _ = answers.Serve(l) }()
	defer answers.Close()
	c := NewClient(path)
	if _, err := c.Status(t.Context()); err == nil || err.Error() != "the daemon answered 502 Bad Gateway" {
		t.Errorf("status: %v", err)
	}
	if _, err := c.Plan(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "decode the daemon's answer: ") {
		t.Errorf("plan: %v", err)
	}
	for _, err := range c.Events(t.Context(), event.Position{}, false) {
		if err == nil || !strings.HasPrefix(err.Error(), "read events: ") {
			t.Errorf("events: %v", err)
		}
	}
}

func TestClientDoesNotWaitForEver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path) // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := NewClient(path)
	c.answerTimeout = time.Millisecond
	if _, err := c.Status(t.Context()); err == nil || err.Error() != "the daemon does not answer on the control socket "+path {
		t.Errorf("status: %v", err)
	}
}
