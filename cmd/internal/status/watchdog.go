package status

import "fmt"

// Watchdog is the state of the hardware watchdog.
type Watchdog struct {
	Device    string  `json:"device"`               // path
	Identity  string  `json:"identity,omitempty"`   // what the driver calls it
	Armed     bool    `json:"armed"`                // the machine is reset unless it is fed
	TimeoutMS float64 `json:"timeout_ms,omitempty"` // without food, until the reset
	NoWayOut  bool    `json:"nowayout,omitempty"`   // the kernel lets nobody disarm it
	Error     string  `json:"error,omitempty"`      // why it is not fed; "": it is
}

// watchdog writes the state of the hardware watchdog.
func (s *Status) watchdog(b *page) {
	w := s.Watchdog
	if w == nil {
		return
	}
	fmt.Fprintf(b, "\nWATCHDOG\n  %s", w.Device)
	switch {
	case w.Error != "":
		fmt.Fprintf(b, " is not fed: %s\n", w.Error)
	case !w.Armed:
		b.WriteString(" is being opened\n")
	default:
		fmt.Fprintf(b, " (%s) resets the machine after %s without food", w.Identity, milliseconds(w.TimeoutMS))
		if w.NoWayOut {
			b.WriteString(", and cannot be disarmed (nowayout)")
		}
		b.WriteString("\n")
	}
}
