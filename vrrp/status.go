package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// A Peer is another router that was heard as MASTER.
type Peer struct {
	Address   netip.Addr
	Priority  uint8
	Interval  time.Duration
	LastHeard time.Time
}

func (p *Peer) update(r *Received, now time.Time) {
	*p = Peer{Address: r.Source, Priority: r.Advert.Priority, Interval: r.Advert.Interval, LastHeard: now}
}

// A FaultReason is one thing that forbids to be MASTER.
type FaultReason struct {
	Key     string
	Problem string
	Since   time.Time
}

// Counters count since the machine was made.
type Counters struct {
	Sent         uint64 // adverts, those with priority 0 included
	StopSent     uint64 // adverts with priority 0
	Received     uint64 // adverts that passed every check
	StopReceived uint64 // of them those with priority 0
	RivalAdverts uint64 // adverts of a lower priority heard as MASTER
	Transitions  uint64
	BecameMaster uint64 // of them those to Master
}

// Status is what a Machine shows of itself.
type Status struct {
	State State
	Since time.Time
	Why   string // reason of the last transition
	// UpSince is when it left Init or Fault; the zero time in these.
	UpSince time.Time
	// Takeover is why it became MASTER the last time.
	Takeover Takeover
	Priority uint8 // in force
	// Holding says whether the device is up with the addresses, which in a
	// change of MASTER outlives the state.
	Holding bool
	Master  Peer // the MASTER last heard; the zero Peer when we are it or nobody was heard
	Rival   Peer // who speaks as MASTER beside us
	// Ceded is the other owner of the addresses, because of whom an owner's
	// priority fell to 254; the zero Peer when there is none.
	Ceded Peer
	// Waits says what held or holds the machine back, and until when.
	Waits    []Wait
	Faults   []FaultReason
	Deadline time.Time
	Counters Counters
}

// Status returns a copy of the machine's state.
func (m *Machine) Status() Status {
	s := Status{
		State: m.state, Since: m.since, Why: m.why, Priority: m.Priority(), UpSince: m.upSince, Takeover: m.takeover,
		Holding:  m.hold == held || m.hold == muted,
		Rival:    m.rival,
		Ceded:    m.ceded,
		Waits:    m.holdoff.waits(&m.cfg),
		Faults:   slices.Clone(m.faults),
		Deadline: m.Deadline(),
		Counters: m.counters,
	}
	if m.state != Master {
		s.Master = m.peer
	}
	return s
}
