package track

import "strconv"

// A State is the verdict on what a tracker looks at.
type State uint8

// The states.
const (
	Unknown State = iota // not enough readings yet
	Up
	Down
)

// String returns "unknown", "up" or "down".
func (s State) String() string {
	switch s {
	case Unknown:
		return "unknown"
	case Up:
		return "up"
	case Down:
		return "down"
	}
	return "state " + strconv.Itoa(int(s))
}

// health makes a verdict of readings: rise good ones in a row are up, fall bad
// ones down. The first verdict takes as many as any other.
type health struct {
	rise, fall int

	state  State
	good   bool // the latest reading
	streak int  // how many in a row were like it
}

// hear takes in a reading and reports whether the verdict changed.
func (h *health) hear(good bool) bool {
	if good != h.good {
		h.good, h.streak = good, 0
	}
	h.streak++
	to, enough := Down, h.fall
	if good {
		to, enough = Up, h.rise
	}
	if to == h.state || h.streak < enough {
		return false
	}
	h.state = to
	return true
}

// pending reports whether the latest readings speak against the verdict, but
// not yet often enough.
func (h *health) pending() bool {
	return h.streak > 0 && h.state != Unknown && h.good != (h.state == Up)
}
