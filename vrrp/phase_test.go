package vrrp

import (
	"testing"
	"time"
)

// beating makes a MASTER of an interval that keeps time with epoch, and that
// started a while later.
func beating(t *testing.T, vrid uint8, interval, later time.Duration) *rig {
	t.Helper()
	r := newRig(t, 3, func(c *Config) { c.VRID, c.Interval = vrid, interval })
	r.g.SetPhase(epoch)
	r.now = later
	r.master()
	return r
}

// Whenever they became MASTER, instances with a beat send at the same times from
// their second advert on, and then an interval apart.
func TestBeat(t *testing.T) {
	const interval = 100 * time.Millisecond
	for _, test := range []struct {
		vrid uint8
		at   time.Duration // after each whole interval
	}{{1, 0}, {63, 0}, {64, 25 * time.Millisecond}, {128, 50 * time.Millisecond}, {255, 75 * time.Millisecond}} {
		for _, later := range []time.Duration{0, 1, 10 * time.Millisecond, 77 * time.Millisecond, 99_999_999} {
			r := beating(t, test.vrid, interval, later)
			next := r.g.Deadline().Sub(epoch)
			if next <= r.now || next > r.now+interval {
				t.Errorf("VRID %d, started %v later: the second advert is due %v after the first, not within an interval",
					test.vrid, later, next-r.now)
			}
			if next%interval != test.at {
				t.Errorf("VRID %d, started %v later: the second advert is due at %v, want whole intervals and %v",
					test.vrid, later, next, test.at)
			}
			r.want("second advert", r.elapse(next), "send priority=100")
			r.now += 3 * time.Millisecond // a lower priority is answered at once
			r.want("rival", r.receiveInterval(90, lowAddr, interval), "send priority=100", "announce", "rival: 192.0.2.1")
			r.want("third advert", r.elapse(next+interval), "send priority=100")
			r.wantDeadline(next + 2*interval)
		}
	}
}

// A MASTER that was late is on the beat again with its next advert.
func TestBeatAfterLateness(t *testing.T) {
	r := beating(t, 1, 100*time.Millisecond, 0)
	due := r.g.Deadline().Sub(epoch)
	r.now = due + 130*time.Millisecond
	r.want("late advert", r.event(Elapsed{}), "send priority=100")
	r.wantDeadline(due + 200*time.Millisecond)
}

// A new interval has a beat of its own.
func TestBeatReconfigured(t *testing.T) {
	r := beating(t, 1, 100*time.Millisecond, 13*time.Millisecond)
	cfg := *r.g.Member(0).Config()
	cfg.Interval = 70 * time.Millisecond
	r.event(Reconfigure{Config: cfg})
	for range 3 {
		r.elapse(r.g.Deadline().Sub(epoch))
	}
	if d := r.g.Deadline().Sub(epoch); d%cfg.Interval != 0 {
		t.Errorf("an advert is due at %v, want whole intervals of %v", d, cfg.Interval)
	}
}

// Who has the addresses takes and announces them anew when what they are on has
// changed; who has not does nothing.
func TestReclaim(t *testing.T) {
	r := beating(t, 1, 100*time.Millisecond, 0)
	cfg := *r.g.Member(0).Config()
	r.want("the same", r.event(Reconfigure{Config: cfg}))
	r.want("reclaim", r.event(Reconfigure{Config: cfg, Reclaim: true}), "claim", "send priority=100", "announce")
	r.event(Faulted{Key: LinkFault, Problem: "eth0 is down", WireLost: true})
	r.want("in FAULT", r.event(Reconfigure{Config: cfg, Reclaim: true}))
}
