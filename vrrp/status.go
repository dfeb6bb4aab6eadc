package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// A Peer is another router whose advert was received.
type Peer struct {
	Address   netip.Addr
	Priority  uint8
	Interval  time.Duration
	LastHeard time.Time
}

func (p *Peer) update(r *Received, now time.Time) {
	*p = Peer{Address: r.Source, Priority: r.Advert.Priority, Interval: r.Advert.Interval, LastHeard: now}
}

// A FaultReason is one reason why the machine cannot be MASTER.
type FaultReason struct {
	Key     string
	Problem string
	Since   time.Time
	Pending bool // it is not known whether there is a fault
}

// Counters count since the machine was made.
type Counters struct {
	Sent         uint64 // adverts, those with priority 0 included
	StopSent     uint64 // adverts with priority 0
	Received     uint64 // adverts that passed every check
	StopReceived uint64 // of these, adverts with priority 0
	RivalAdverts uint64 // lower-priority adverts received while MASTER
	Transitions  uint64
	BecameMaster uint64 // of these, transitions to Master
	// BackupSent and BackupReceived are BACKUP ADVERTISEMENTS.
	BackupSent, BackupReceived uint64
	FastTakeovers              uint64 // takeovers from a MASTER whose session went down
	FastFlaps                  uint64 // how often its session went down although it was alive
	// Moves counts the transitions by the states before and after.
	Moves [NumStates][NumStates]uint64
}

// Status is the state of a Machine, for display.
type Status struct {
	State State
	Since time.Time
	Why   string // reason of the last transition
	// UpSince is when the machine left Init or Fault, and the zero time in these.
	UpSince time.Time
	// Takeover is why it became MASTER the last time.
	Takeover Takeover
	Priority uint8 // in force
	// Holding is set while the device is up with the addresses. During a change
	// of MASTER it stays set for a moment after the state has changed.
	Holding bool
	// Master is the MASTER whose advert came last. It is the zero Peer while the
	// machine is MASTER itself, and while no advert was received.
	Master Peer
	// Rival is another router that advertises as MASTER while the machine is it.
	Rival Peer
	// Ceded is another owner of the addresses (priority 255), to which this owner
	// gives way with priority 254. The zero Peer means that there is none.
	Ceded Peer
	// Fast says, with Config.Fast, what becomes of a lost session.
	Fast FastStatus
	// Waits are the holdoffs, those that are over included.
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
		Fast:     m.fast.seen,
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
