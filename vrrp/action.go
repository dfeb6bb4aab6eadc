package vrrp

import "fmt"

// A Verb is what an Action asks for.
type Verb uint8

// The verbs. The package documentation states their order.
const (
	// SendAdvert sends an advert with Action.Priority at once.
	SendAdvert Verb = iota + 1
	// Claim brings the virtual device up with all addresses. Answer with
	// Claimed or ClaimFailed; before that, if Action.Unserved, with a ClaimedPart
	// as often as more of many addresses are up. A claim of what is held
	// refreshes it.
	Claim
	// Announce starts the burst of gratuitous ARP or unsolicited neighbour
	// advertisements for all addresses, and a later one. If Action.First is not 0
	// it says so many addresses, from the first, ahead of the burst.
	Announce
	// Mute stops speaking for the addresses (no ARP or neighbour answers, no
	// announcements), and goes on receiving for them.
	Mute
	// Release takes the addresses off and the device down.
	Release
	// Transition reports a change of state.
	Transition
	// Stopped reports that a stopped machine has let go of everything.
	Stopped
	// Rival reports that another router speaks as MASTER beside us, or that it
	// has fallen silent.
	Rival
	// Repriced reports that the priority in force is another one. Only a
	// machine that takes part tells it.
	PriorityChanged
)

// An Action is one effect that a Machine wants.
type Action struct {
	Verb        Verb
	Priority    uint8    // SendAdvert, Transition, Rival, Repriced: the priority in force
	OldPriority uint8    // Repriced: the priority before
	From, To    State    // Transition; Repriced: To is the state, which stays
	Why         string   // Transition, Rival, Repriced: the reason, for people
	Takeover    Takeover // Transition to Master: Why as one of a few
	Peer        *Peer    // Rival: who it is; nil: it has fallen silent
	Unserved    bool     // Claim: nobody serves the addresses
	First       int      // Announce: how many addresses, from the first; 0: all
}

// String describes the action in the words that scenario files use.
func (a Action) String() string {
	switch a.Verb {
	case SendAdvert:
		return fmt.Sprintf("send priority=%d", a.Priority)
	case Claim:
		if a.Unserved {
			return "claim unserved"
		}
		return "claim"
	case Announce:
		if a.First > 0 {
			return fmt.Sprintf("announce first %d", a.First)
		}
		return "announce"
	case Mute:
		return "mute"
	case Release:
		return "release"
	case Transition:
		return fmt.Sprintf("%v -> %v (%s)", a.From, a.To, a.Why)
	case Stopped:
		return "stopped"
	case Rival:
		return "rival: " + a.Why
	case PriorityChanged:
		return fmt.Sprintf("priority %d -> %d (%s)", a.OldPriority, a.Priority, a.Why)
	}
	return "?"
}
