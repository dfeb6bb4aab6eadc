package bfd

import "time"

// A Status is the state of a session, for display.
type Status struct {
	Config         Config
	Listed         bool     // it is in the configuration
	Users          []string // names of the run-time users that share it
	State          State
	Since          time.Time // of State
	Reason         string    // of State
	Verdict        Verdict
	Diag           Diag
	Local          uint32        // discriminator
	Port           uint16        // source port; 0: there is no socket
	Interval       time.Duration // between our packets, without jitter; 0: none are sent
	Detection      time.Duration // the detection time; 0: no packets arrive
	Heard          time.Time     // when the last packet arrived; zero: none did
	RemoteState    State
	RemoteDiag     Diag
	Remote         uint32 // discriminator; 0: no packets arrive
	RemoteMinTx    time.Duration
	RemoteMinRx    time.Duration
	RemoteMultiple uint8
	// Trouble is why there is no socket, or why the kernel refused to send the last
	// packet. It is "" if all is well.
	Trouble  string
	Sent     uint64
	Unsent   uint64 // packets that the kernel refused to send
	Received uint64 // packets that passed every check
	Ups      uint64 // how often it came Up
	Downs    uint64 // how often it left Up
	Dropped  map[string]uint64
	LastDrop Drop
}

// Status returns the state of all sessions in the order of the configuration,
// and counts the dropped packets that are no session's.
func (s *Speaker) Status() (sessions []Status, dropped map[string]uint64) {
	s.do(func() {
		for _, e := range s.table.list {
			sessions = append(sessions, e.status())
		}
		dropped = counts(&s.table.drops)
	})
	return sessions, dropped
}

func counts(drops *[NumDrops]uint64) map[string]uint64 {
	all := map[string]uint64{}
	for d, n := range drops {
		if n > 0 {
			all[Drop(d).String()] = n
		}
	}
	return all
}

func (s *session) status() Status {
	m := &s.machine
	st := Status{
		Config: s.Config, State: m.state, Since: m.since, Reason: m.reason, Verdict: m.verdict, Diag: m.diag,
		Local: m.local, Interval: m.interval(), Heard: m.heard,
		RemoteState: m.remote.State, RemoteDiag: m.remote.Diag, Remote: m.remote.Discriminator,
		RemoteMinTx: m.remote.MinTx, RemoteMinRx: m.remote.MinRx, RemoteMultiple: m.remote.Multiplier,
		Listed: s.listed, Trouble: s.problem(), Sent: s.sent, Unsent: s.unsent, Received: s.received, Ups: m.ups, Downs: m.downs,
		Dropped: counts(&s.drops), LastDrop: s.lastDrop,
	}
	for _, u := range s.users {
		st.Users = append(st.Users, u.Name)
	}
	if s.tx != nil {
		st.Port = s.tx.port
	}
	if !m.expires.IsZero() {
		st.Detection = m.detection()
	}
	return st
}
