package vrrp

import (
	"net/netip"
	"time"
)

// An Event is an input of a Machine. [Group.Step] takes it.
type Event interface{ event() }

type (
	// Start makes the machine take part (RFC 9568 §6.4.1, Startup).
	Start struct{}

	// StartHolding is Start for a machine whose addresses are on its device
	// already, as a crashed run left them.
	StartHolding struct{}

	// Resume makes a new machine continue the state of the process that this one
	// replaces: MASTER with the addresses on, or BACKUP. [Machine.Resume] returns
	// it.
	Resume struct {
		State State
		Since time.Time // when the machine entered State
		// Interval is that of the MASTER whose advert came last, and 0 if there was
		// none.
		Interval time.Duration
		// GaveAway is set if mastership was given away with Yield: the machine does
		// not preempt until it has been MASTER again.
		GaveAway bool
		// Lost is when the machine ceased to be MASTER, from which MinHold counts.
		// The zero time means that it never was.
		Lost time.Time
		// UpSince and Takeover are those of Status, and zero if the former process
		// did not save them.
		UpSince  time.Time
		Takeover Takeover
		// LastAdvert is when a MASTER sent its last advert, and Promised the interval
		// in it: the next advert is due as usual. If they are zero it is due now.
		LastAdvert time.Time
		Promised   time.Duration
	}

	// AdvertiseNow makes a MASTER send an advert before it is due, because the
	// next one may be late.
	AdvertiseNow struct{}

	// Abandon makes a machine that was never started release what a crashed
	// MASTER left on its device, as Stop would have.
	Abandon struct{}

	// Yield gives mastership away on request. The machine then follows whoever
	// takes over, and becomes MASTER again if no router does.
	Yield struct{}

	// Stop ends the machine's part in the election (RFC 9568 §6.4, Shutdown). A
	// MASTER goes on serving until its successor's advert arrives. The Stopped
	// action says when everything is released.
	Stop struct{}

	// Leave takes a member out of its group for good. Its addresses are released
	// at once and no advert is sent: other directors, whose groups may still have
	// this member, would take priority 0 for the end of the whole MASTER.
	Leave struct{}

	// Received is a message that passed Decode, Admit and authentication. The
	// machine keeps neither the Advert nor its addresses.
	Received struct {
		Advert *Advert
		Source netip.Addr
	}

	// Elapsed says that the Deadline has passed. [Group.Elapse] sends it.
	Elapsed struct{}

	// Claimed answers Claim: the device is up with all addresses.
	Claimed struct{}

	// ClaimedPart reports the progress of a Claim that is Unserved: the device is
	// up with the first Addresses of the list. Claimed or ClaimFailed follows.
	ClaimedPart struct{ Addresses int }

	// ClaimFailed answers Claim: the addresses could not be put on. The machine
	// goes to FAULT and tries again after a pause.
	ClaimFailed struct{ Problem string }

	// ClaimLost says that addresses which were held are gone and cannot be
	// restored. The machine goes to FAULT and tries again after a pause.
	ClaimLost struct{ Problem string }

	// Faulted forbids the machine to be MASTER until Recovered of the same key.
	Faulted struct {
		Key     string // identity, such as "link"
		Problem string // for people, such as "eth0 has no carrier"
		// WireLost is set if nothing can be sent or received any more on the first path.
		// The addresses are then released at once: serving them is pointless. Other
		// paths are told with priority 0.
		WireLost bool
		// Pending is set while nobody knows whether there is a fault. A machine that has
		// not begun waits in Init until it is known. Everything else is as for a fault.
		Pending bool
	}

	// Recovered ends the fault of the same key.
	Recovered struct{ Key string }

	// HoldPreempt keeps the machine from preempting a MASTER of a lower priority for
	// the reason Why, until the event comes with Why "". A machine that hears no
	// MASTER takes over as always, and an owner preempts as always.
	HoldPreempt struct{ Why string }

	// Primary sets the interface's own address, which adverts come from. It
	// decides between equal priorities.
	Primary struct{ Address netip.Addr }

	// TrackerWeight sets the sum of the trackers' weights, which is added to the
	// configured priority.
	TrackerWeight struct{ Sum int }

	// Reconfigure replaces the configuration. Family, VRID, Version and Name must
	// not change. A machine that holds addresses claims and announces them again
	// if the addresses changed or if Reclaim is set, which says that the device or
	// the prefixes changed.
	Reconfigure struct {
		Config  Config
		Reclaim bool
	}

	// PeerUp says that the BFD session with another router is up. A machine that
	// wants this session takes note; WantSession says which one it wants.
	PeerUp struct{ Peer netip.Addr }

	// PeerDown says that the session with another router is no longer up.
	PeerDown struct {
		Peer  netip.Addr
		Cause DownCause
		// Interval is how often the packets that are missing were expected, with
		// DownSilent. The MASTER has as long to answer.
		Interval time.Duration
	}

	// PeerSpoke says that another router has sent a message for some virtual router on
	// the interface after its session went down: it is alive. With a thousand virtual
	// routers it may not answer each within the grace.
	PeerSpoke struct{ Peer netip.Addr }

	// The group sends these to its members.
	promote struct{ unserved bool }
	demote  struct{ why string }
	hasten  struct{ source netip.Addr }
)

func (Start) event()         {}
func (StartHolding) event()  {}
func (Resume) event()        {}
func (AdvertiseNow) event()  {}
func (Abandon) event()       {}
func (Yield) event()         {}
func (Stop) event()          {}
func (Leave) event()         {}
func (*Received) event()     {}
func (Elapsed) event()       {}
func (Claimed) event()       {}
func (ClaimedPart) event()   {}
func (ClaimFailed) event()   {}
func (ClaimLost) event()     {}
func (Faulted) event()       {}
func (Recovered) event()     {}
func (HoldPreempt) event()   {}
func (Primary) event()       {}
func (TrackerWeight) event() {}
func (Reconfigure) event()   {}
func (PeerUp) event()        {}
func (PeerDown) event()      {}
func (PeerSpoke) event()     {}
func (promote) event()       {}
func (demote) event()        {}
func (hasten) event()        {}

// A DownCause is why a BFD session is no longer up.
type DownCause uint8

// The causes. Only DownSilent says that the other router may be dead.
const (
	// DownSilent: the detection time ended without a packet.
	DownSilent DownCause = iota + 1
	// DownLate: as DownSilent, but this machine was late itself.
	DownLate
	// DownTold: a packet of the other router says that the session is down.
	DownTold
	// DownAdmin: BFD was turned off, there or here.
	DownAdmin
)
