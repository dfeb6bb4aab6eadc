package notify

import (
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
