package systemd

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// listen is a service manager that reads what it is told.
func listen(t *testing.T) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return c
}

func read(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// What is queued arrives in its order, also when the process is about to end.
func TestMessages(t *testing.T) {
	c := listen(t)
	t.Setenv("WATCHDOG_USEC", "20000000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	n := New(slog.New(slog.DiscardHandler))
	if got := n.Watchdog(); got != 20*time.Second {
		t.Errorf("watchdog %v", got)
	}
	n.Reloading()
	n.Ready()
	n.Status("MASTER of a")
	n.Alive()
	n.Stopping()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n.Run(ctx)
	first, usec, _ := strings.Cut(read(t, c), "\nMONOTONIC_USEC=")
	if _, err := strconv.ParseUint(strings.TrimSpace(usec), 10, 64); first != "RELOADING=1" || err != nil {
		t.Errorf("%q and the time %q", first, usec)
	}
	for _, want := range []string{"READY=1", "STATUS=MASTER of a", "WATCHDOG=1", "STOPPING=1"} {
		if got := read(t, c); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A service manager that does not read makes nobody wait.
func TestManagerThatDoesNotRead(t *testing.T) {
	listen(t)
	n := New(slog.New(slog.DiscardHandler))
	for range 2 * waiting {
		n.Alive()
	}
}

func TestWithoutManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n := New(slog.New(slog.DiscardHandler))
	if n != nil {
		t.Fatalf("%+v", n)
	}
	n.Ready()
	n.Run(t.Context())
	if n.Watchdog() != 0 {
		t.Error("a watchdog that nobody has")
	}
}
