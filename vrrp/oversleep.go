package vrrp

import (
	"fmt"
	"time"
)

// silentFor returns the time since our last advert was due.
func (m *Machine) silentFor(now time.Time) time.Duration { return now.Sub(m.lastAdvert) }

// overslept reports whether a MASTER has sent nothing for so long that every
// BACKUP, whatever its priority, has taken over by now. The process was
// stopped or got no processor time.
func (m *Machine) overslept(now time.Time) bool {
	return m.silentFor(now) > m.cfg.missed(m.promised, 1)
}

// wakeLate steps down after overslept. The machine goes on serving, muted.
// The new MASTER's advert comes within an interval; if there is none, the
// master-down timer makes this machine MASTER again.
func (m *Machine) wakeLate(now time.Time, silent time.Duration) {
	m.foundLate = now
	m.mute(now.Add(m.cfg.masterDown(1, m.interval)))
	m.become(now, Backup, fmt.Sprintf("could not run for %v", silent.Round(time.Millisecond)))
	m.listen(now)
}

// lingerUntil returns when to release addresses that the sender of an advert
// serves too. The usual answer is a moment from now. If we noticed late that
// it is MASTER, our kernel has gone on answering ARP meanwhile and may have
// drawn the switches back to our port after the sender's advert, which may be
// an old one. The sender's next advert corrects the switches, so we serve
// until then.
func (m *Machine) lingerUntil(now time.Time, r *Received) time.Time {
	if next := m.foundLate.Add(r.Advert.Interval); next.After(now) {
		now = next
	}
	return now.Add(linger)
}
