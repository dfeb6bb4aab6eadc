package notify

import (
	"context"
	"net"
	"testing"
	"time"

	"holdfast/cmd/internal/event"
)

// A manager that is silent has not confirmed, and the alert is kept.
func TestTrapUnconfirmed(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	trap := NewTrap(TrapOptions{
		Address: silent.LocalAddr().String(), Community: "public", Enterprise: "1.3.6.1.4.1.8072.9999.9999",
		Confirm: true, Timeout: 10 * time.Millisecond,
	})
	n, err := trap.Deliver(t.Context(), []event.Event{{Kind: event.KindAlert, Alert: &event.Alert{}}})
	want := "the manager " + silent.LocalAddr().String() + " did not confirm within 10ms"
	if n != 0 || err == nil || err.Error() != want {
		t.Errorf("%d delivered, %v; want %s", n, err, want)
	}
}

// The end of the daemon, or a reload, does not wait for a manager that is silent.
func TestTrapEndsWithItsContext(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, v3 := range []bool{false, true} {
		trap := NewTrap(TrapOptions{
			Address: silent.LocalAddr().String(), Community: "public", Enterprise: "1.3.6.1.4.1.8072.9999.9999",
			V3: v3, User: "u", Confirm: true, Timeout: time.Minute,
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := trap.Deliver(ctx, []event.Event{{Kind: event.KindAlert, Alert: &event.Alert{}}})
			ended <- err
		}()
		if _, _, err := silent.ReadFrom(make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
		cancel()
		select {
		case err := <-ended:
			if err == nil {
				t.Error("nobody confirmed, and the trap counts as delivered")
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("version 3 %v: the trap is waited for", v3)
		}
	}
}
