package status

import (
	"fmt"
)

// dbus writes the state of the D-Bus service.
func (s *Status) dbus(b *page) {
	d := s.DBus
	if d == nil {
		return
	}
	state := "on"
	if !d.Connected {
		state = "not on"
	}
	fmt.Fprintf(b, "\nD-BUS\n  %s %s the bus %s for %s, signals: %s sent, %s dropped\n",
		d.Name, state, d.Bus, s.ago(d.Since), count(d.SignalsSent), count(d.SignalsDropped))
}
