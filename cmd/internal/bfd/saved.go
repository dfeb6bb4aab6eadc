package bfd

import "time"

// A SavedSession is an Up session, for the process that replaces this one.
type SavedSession struct {
	Config Config        `json:"config"`
	Local  uint32        `json:"local"` // discriminator
	Port   uint16        `json:"port"`  // that packets come from
	Since  time.Time     `json:"since"`
	Remote remote        `json:"remote"`
	MinTx  time.Duration `json:"min_tx_ns"` // in our packets
	MinRx  time.Duration `json:"min_rx_ns"`
}

// fresh reports whether the neighbour still waits for our next packet after a
// time.
func (m *SavedSession) fresh(age time.Duration) bool {
	return age < time.Duration(m.Config.Multiplier)*max(m.MinTx, m.Remote.MinRx)
}

// saved returns an Up session for the process that replaces this one.
func (s *session) saved() SavedSession {
	m := &s.machine
	c := s.Config
	c.Timers = m.Timers
	k := SavedSession{Config: c, Local: m.local, Since: m.since, Remote: m.remote, MinTx: m.minTx, MinRx: m.minRx}
	if s.tx != nil {
		k.Port = s.tx.port
	}
	return k
}

// resume continues a session that was Up in the former process, and then
// changes its timers to those of the machine.
func (m *machine) resume(now time.Time, k *SavedSession) {
	t := m.Timers
	m.Timers = k.Config.Timers
	m.state, m.since, m.reason, m.verdict = Up, k.Since, "it was Up before an upgrade", VerdictUp
	m.remote, m.heard = k.Remote, now
	m.minTx, m.minRx = k.MinTx, k.MinRx
	m.txInForce, m.rxInForce = k.MinTx, k.MinRx
	m.expires = now.Add(m.detection())
	m.retime(now, t)
}

// relaxTimers makes the neighbour wait at least a second for each of our
// packets, so that the new process is in time.
func (m *machine) relaxTimers(now time.Time) {
	m.begin()
	if m.state == Up && m.minTx < time.Second {
		t := m.Timers
		t.MinTx = time.Second
		m.retime(now, t)
	}
}
