package speaker

import (
	"slices"
	"time"

	"holdfast/vrrp"
)

// A Pulse says whether the loop does in time what it has to do.
type Pulse struct {
	// Late is for how long the group that waits longest for its turn has waited.
	Late time.Duration
	// Refused is for how long no interface has taken a frame. It is 0 while one takes
	// them, and while no router is MASTER, which has nothing to send.
	Refused time.Duration
}

// Pulse has the loop call answer with its pulse. It does not wait for that, because the
// caller wants to learn of a loop that hangs. answer must not block. Pulse reports
// false if the loop has ended, and then answer is not called.
func (s *Speaker) Pulse(answer func(Pulse)) bool {
	return s.enqueue(func(now time.Time) { answer(s.pulse(now)) })
}

func (s *Speaker) pulse(now time.Time) Pulse {
	var p Pulse
	master := false
	for _, g := range s.groups {
		if at := g.nextDeadline(); reached(at, now) {
			p.Late = max(p.Late, now.Sub(at))
		}
		master = master || slices.ContainsFunc(g.routers, func(r *router) bool { return r.machine().State() == vrrp.Master })
	}
	if master && !s.refusedSince.IsZero() {
		p.Refused = now.Sub(s.refusedSince)
	}
	return p
}

// noteRefused notes since when no frame is taken by any interface. A call that sent
// nothing because nothing was due says nothing.
func (s *Speaker) noteRefused(now time.Time, errs []SendError) {
	taken := slices.ContainsFunc(s.frames, func(f Frame) bool {
		return !slices.ContainsFunc(errs, func(e SendError) bool { return e.IfIndex == f.IfIndex })
	})
	switch {
	case taken:
		s.refusedSince = time.Time{}
	case s.refusedSince.IsZero():
		s.refusedSince = now
	}
}
