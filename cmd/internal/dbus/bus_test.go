//go:build dbus

package dbus

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// Close does not wait for a bus that accepts a connection and never answers.
func TestBusThatIsMute(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	connected := make(chan net.Conn, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			connected <- c
		}
	}()
	s := New(quiet(), nil, Options{Bus: "unix:path=" + path, Socket: path, Name: "org.example.Vrrp"})
	defer (<-connected).Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	from := time.Now()
	s.Close(ctx)
	if took := time.Since(from); took >= handshake {
		t.Errorf("closed after %v", took)
	}
}
