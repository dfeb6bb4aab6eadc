// Package health makes a verdict, up or down, of good and bad results. It has no
// clock and no goroutine. Checks of realservers and trackers use it.
package health

import "strconv"

// A State is a verdict.
type State uint8

// The states.
const (
	Unknown State = iota // no verdict yet
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

// A Run is a series of results that are alike.
type Run struct {
	Good   bool `json:"good"`
	Streak int  `json:"streak"` // how many in a row; 0: no result yet
	Late   int  `json:"late"`   // how many of these came too late
}

// Health makes a verdict of results: Rise good ones in a row are up, Fall bad
// ones in a row are down.
type Health struct {
	Rise, Fall int // at least 1
	// LateFall bad results in a row are down even if fewer than Fall of them
	// are bad for another reason than coming too late. 0: late results count
	// like other bad ones.
	LateFall int
	// Assumed is what counts before the first verdict. One result that agrees
	// with Up or Down makes it the verdict; with Unknown the first verdict takes
	// as many results as a later one.
	Assumed State

	State State // the verdict
	Run   Run   // the latest results
}

// Observe takes in a result and reports whether it made a new verdict. A late
// result must not be good.
func (h *Health) Observe(good, late bool) (verdict bool) {
	if good != h.Run.Good {
		h.Run = Run{Good: good}
	}
	h.Run.Streak++
	if late {
		h.Run.Late++
	}
	to := Down
	if good {
		to = Up
	}
	if to == h.State || !h.enough(to) {
		return false
	}
	h.State = to
	return true
}

// enough reports whether the latest results suffice for another verdict.
func (h *Health) enough(to State) bool {
	switch streak := h.Run.Streak; {
	case h.State == Unknown && to == h.Assumed:
		return true
	case to == Up:
		return streak >= h.Rise
	case streak-h.Run.Late >= h.Fall:
		return true
	case h.LateFall > 0:
		return streak >= h.LateFall
	default:
		return streak >= h.Fall
	}
}

// Adopt takes in the results of somebody who asked the same question before, as
// if h had observed them all. It reports whether they made a verdict.
func (h *Health) Adopt(r Run) (verdict bool) {
	if r.Streak == 0 {
		return false
	}
	h.Run = r
	h.Run.Streak--
	return h.Observe(r.Good, false)
}

// Counts returns the verdict; before the first one, what is assumed.
func (h *Health) Counts() State {
	if h.State == Unknown {
		return h.Assumed
	}
	return h.State
}

// Pending reports whether the latest results speak against what counts, but are
// too few to change it.
func (h *Health) Pending() bool {
	counts := h.Counts()
	return h.Run.Streak > 0 && counts != Unknown && h.Run.Good != (counts == Up)
}
