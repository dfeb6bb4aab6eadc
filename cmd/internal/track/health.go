package track

import "strconv"

// A State is what a tracker has decided about its subject.
type State uint8

// The states.
const (
	Unknown State = iota // too few readings so far
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

// health decides a state from readings. Rise good readings in a row mean up.
// Fall bad ones in a row mean down, not counting those that timed out: a look
// that timed out proves less than one that failed. LateFall bad ones in a row
// mean down however many of them timed out. The first decision needs as many
// readings as any later one.
type health struct {
	rise, fall, lateFall int

	state State
	run
}

// A run is the latest series of readings with one result.
type run struct {
	Good   bool `json:"good"`
	Streak int  `json:"streak"` // the number of readings in a row
	Late   int  `json:"late"`   // how many of them timed out
}

// record takes in a reading and reports whether the state changed. A late
// reading must not be good.
func (h *health) record(good, late bool) bool {
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

// pending reports whether the latest readings contradict the state but are too
// few to change it.
func (h *health) pending() bool {
	return h.Streak > 0 && h.state != Unknown && h.Good != (h.state == Up)
}
