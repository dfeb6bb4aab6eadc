package integration_test

import (
	"net/netip"
	"strings"
	"time"

	"holdfast/integration/lab"
)

// An accusation is a takeover from a MASTER whose BFD session was over.
type accusation struct {
	at      time.Time
	name    string // of the virtual router
	accused netip.Addr
}

// accuse takes note of a transition if it is one.
func (v *victim) accuse(e *lab.Event) {
	who, _, ok := strings.Cut(e.Reason, " is dead: its BFD session timed out") // TestFastAgain wants the same words
	if accused, err := netip.ParseAddr(who); ok && err == nil {
		v.accusations = append(v.accusations, accusation{e.At, e.Subject, accused})
	}
}

// checkAccusations reports takeovers from a MASTER whose adverts came on time, unless it
// or the one that took over slept or had a broken wire then.
func (c *chaos) checkAccusations(v *victim) {
	c.t.Helper()
	for _, one := range v.accusations {
		a, accused := v.routers[one.name], c.victims[one.accused.As4()[3]-2]
		troubled := func(spans []span) bool {
			for _, s := range spans {
				if s.from.Before(one.at) && s.to.After(one.at.Add(-3*fast)) {
					return true
				}
			}
			return false
		}
		if troubled(a.deaf) || troubled(accused.routers[one.name].deaf) || troubled(accused.dead) {
			continue
		}
		if a.punctual(one) {
			c.t.Errorf("%s took over %s at %s from %s, whose adverts came on time", v.host.Name, one.name, one.at.Format("15:04:05.000"), accused.host.Name)
		}
	}
}

// punctual reports whether the accused advertised around the takeover without a gap.
func (a *account) punctual(one accusation) bool {
	var last time.Time
	heard := a.capture.Frames(func(f lab.Frame) bool {
		advert, ok := f.Advert()
		return ok && !f.FromHost && advert.VRID == a.vrid && advert.Source == one.accused && advert.Priority > 0
	})
	for _, f := range heard {
		if f.Time.After(one.at) {
			return f.Time.Sub(last) < 3*fast/2
		}
		last = f.Time
	}
	return false
}
