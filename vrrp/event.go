package vrrp

import (
	"net/netip"
	"time"
)

// An Event is something that a Machine must hear of.
type Event interface{ event() }

type (
	// Start lets the machine take part (RFC 9568 §6.4.1, Startup).
	Start struct{}

	// StartHolding is Start for a machine whose addresses are on its device,
	// as a crashed run left them.
	StartHolding struct{}

	// Resume makes the machine what it was a moment ago in the process that
	// this one replaces: MASTER with the addresses on, or BACKUP.
	Resume struct {
		State State
		Since time.Time // when it became that
		// Interval is that of the MASTER that was heard, 0 if none was.
		Interval time.Duration
		// GaveAway says that mastership was given away on request: nobody is
		// preempted. Lost is when the machine ceased to be MASTER, from which
		// MinHold counts; zero if it was not.
		GaveAway bool
		Lost     time.Time
		// UpSince and Takeover are those of Status; zero if a former binary did
		// not know them.
		UpSince  time.Time
		Takeover Takeover
		// LastAdvert is when a MASTER sent its last advert, after which the next is
		// due as ever, and Promised the interval that it told. Zero: they are not
		// known, and the next is due now.
		LastAdvert time.Time
		Promised   time.Duration
	}

	// Remind makes a MASTER send an advert before it is due: it may be late with
	// the next.
	AdvertiseNow struct{}

	// Abandon makes a machine that was never started let go of what a crashed
	// MASTER left on its device, as Stop would have.
	Abandon struct{}

	// Yield gives mastership away. The machine then follows whoever takes
	// over, and is MASTER again if nobody does.
	Yield struct{}

	// Stop makes the machine leave (Shutdown). A MASTER goes on serving until
	// it has heard its successor; the Stopped action says when all is let go.
	Stop struct{}

	// Leave makes a member leave its group for good, at once and without a word:
	// its addresses are wanted no more. Other directors' groups, which may still
	// have it, would take a farewell for the going of the whole MASTER.
	Leave struct{}

	// Received is an advert that passed Decode and Admit. The machine keeps
	// nothing of it.
	Received struct {
		Advert *Advert
		Source netip.Addr
	}

	// Elapsed says that Deadline is reached.
	Elapsed struct{}

	// Claimed answers Claim: the device is up and has all addresses.
	Claimed struct{}

	// ClaimedPart tells of a Claim of what nobody serves: the device is up and has
	// so many of its addresses, from the first. Claimed or ClaimFailed follows.
	ClaimedPart struct{ Addresses int }

	// ClaimFailed answers Claim: the addresses could not be had. The machine
	// faults and tries again by itself.
	ClaimFailed struct{ Problem string }

	// ClaimLost says that addresses that were held are gone and cannot be had
	// back. The machine gives up, faults and tries again by itself.
	ClaimLost struct{ Problem string }

	// Faulted says that something forbids to be MASTER until the Recovered of
	// the same key.
	Faulted struct {
		Key     string // identity, such as "link"
		Problem string // for people: "eth0 has no carrier"
		// WireLost says that nothing can be sent or received any more, so
		// that going on serving would be pointless.
		WireLost bool
	}

	// Recovered takes back the Faulted of the same key.
	Recovered struct{ Key string }

	// Primary gives the interface's own address, the source of adverts, by
	// which equal priorities are told apart.
	Primary struct{ Address netip.Addr }

	// Weigh sets the sum by which trackers change the priority.
	TrackerWeight struct{ Sum int }

	// Reconfigure replaces the configuration. Family, VRID, Version and Name
	// must stay as they are. Reclaim says that what the addresses are on has
	// changed, so that whoever has them must claim and announce them again; if
	// the addresses of the configuration changed that follows.
	Reconfigure struct {
		Config  Config
		Reclaim bool
	}

	// promote, demote and hasten come from the group.
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
func (Primary) event()       {}
func (TrackerWeight) event() {}
func (Reconfigure) event()   {}
func (promote) event()       {}
func (demote) event()        {}
func (hasten) event()        {}
