package checker

// health makes a verdict of results. A subject begins with an assumption (up or
// down) that no result has confirmed: one result that agrees confirms it, and
// rise or fall of them in a row refute it, as they do a verdict later on.
type health struct {
	rise, fall int

	up     bool // the verdict, or the assumption
	known  bool // up is a verdict
	good   bool // the latest result
	streak int  // how many results in a row were like the latest; 0: none yet
}

// observe takes one result in and reports whether it made a verdict: the first
// one, or another than before.
func (h *health) observe(good bool) (verdict bool) {
	if h.good != good {
		h.good, h.streak = good, 0
	}
	h.streak++
	if good == h.up {
		verdict = !h.known
		h.known = true
		return verdict
	}
	if h.streak < h.needed() {
		return false
	}
	h.up, h.known = good, true
	return true
}

// adopt takes in the streak of a question that was being asked before the
// subject came, as if the subject had seen it all.
func (h *health) adopt(good bool, streak int) (verdict bool) {
	if streak == 0 {
		return false
	}
	h.good, h.streak = good, streak-1
	return h.observe(good)
}

// pending reports whether the latest results speak against the verdict, but
// not yet often enough.
func (h *health) pending() bool { return h.streak > 0 && h.good != h.up }

// needed returns how many results like the latest refute the verdict.
func (h *health) needed() int {
	if h.good {
		return h.rise
	}
	return h.fall
}

// A State is what is known of a subject.
type State string

// The states.
const (
	Unknown State = "unknown" // no verdict yet: counts as down unless InitiallyUp
	Up      State = "up"
	Down    State = "down"
)

func (h *health) state() State {
	switch {
	case !h.known:
		return Unknown
	case h.up:
		return Up
	default:
		return Down
	}
}
