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

// health makes a verdict of readings: rise good ones in a row are up. Fall bad
// ones are down, or lateFall that are not good, when those among them that came
// too late are not fall bad ones: a look that timed out says less than one that
// failed. The first verdict takes as many as any other.
type health struct {
	rise, fall, lateFall int

	state State
	run
}

// A run is a series of readings that are alike.
type run struct {
	Good   bool `json:"good"`
	Streak int  `json:"streak"` // how many in a row
	Late   int  `json:"late"`   // how many of these came too late
}

// hear takes in a reading and reports whether the verdict changed. One that is
// late is not good.
func (h *health) hear(good, late bool) bool {
	if good != h.Good {
		h.run = run{Good: good}
	}
	h.Streak++
	if late {
		h.Late++
	}
	to, enough := Up, h.Streak >= h.rise
	if !good {
		to, enough = Down, h.Streak-h.Late >= h.fall || h.Streak >= h.lateFall
	}
	if to == h.state || !enough {
		return false
	}
	h.state = to
	return true
}

// pending reports whether the latest readings speak against the verdict, but
// not yet often enough.
func (h *health) pending() bool {
	return h.Streak > 0 && h.state != Unknown && h.Good != (h.state == Up)
}
