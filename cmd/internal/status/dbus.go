package status

import (
	"fmt"
	"time"
)

// DBus is the state of the D-Bus service.
type DBus struct {
	Bus       string    `json:"bus"`  // as configured
	Name      string    `json:"name"` // D-Bus name of the service
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"`           // since when Connected has had this value
	Error     string    `json:"error,omitempty"` // why the daemon is not connected
	// SignalsSent counts signals that the bus accepted. SignalsDropped counts
	// signals that were dropped because too many were queued.
	SignalsSent    uint64 `json:"signals_sent"`
	SignalsDropped uint64 `json:"signals_dropped"`
}

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

func (d *DBus) unwell(say sayer) {
	if d != nil && d.Error != "" {
		say("dbus: %s is not on the bus: %s", d.Name, d.Error)
	}
}
