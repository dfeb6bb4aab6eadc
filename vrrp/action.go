package vrrp

import (
	"fmt"
	"net/netip"
)

// A Verb says what an Action asks for.
type Verb uint8

// The verbs. The package documentation states the order in which they come.
const (
	// SendAdvert asks for an advert with Action.Priority, at once.
	SendAdvert Verb = iota + 1
	// Claim asks for the virtual device to be brought up with all addresses. The
	// answer is a Claimed or ClaimFailed event. If Action.Unserved is set, any
	// number of ClaimedPart events may come before it. A Claim of addresses that
	// are held already refreshes them after a change of configuration.
	Claim
	// Announce asks for gratuitous ARP or unsolicited neighbour advertisements for
	// all addresses: a burst now and another one later. If Action.First is not 0,
	// only that many addresses of the list are announced, ahead of the burst.
	Announce
	// Mute asks to stop ARP and neighbour answers and announcements for the
	// addresses, which stay on and go on receiving.
	Mute
	// Release asks for the addresses to be taken off and the device down.
	Release
	// Transition reports a change of state.
	Transition
	// Stopped reports that a stopped machine has released everything.
	Stopped
	// Rival reports that another router advertises as MASTER while this one is
	// MASTER, or that it no longer does.
	Rival
	// PriorityChanged reports another priority in force. A machine in INIT does
	// not report it.
	PriorityChanged
	// HeldBack reports that a MASTER of a lower priority is not preempted because
	// of HoldPreempt, once for each time.
	HeldBack
	// SendBackup asks for a BACKUP ADVERTISEMENT with Action.Priority, to the router
	// Action.Peer or, if that is nil, to all routers. Its Ethernet source is not the
	// virtual MAC, which belongs to the MASTER.
	SendBackup
	// WantSession asks for a BFD session with the router Action.Peer, instead of the
	// one asked for before. nil: with none. PeerUp and PeerDown say what becomes of it.
	WantSession
	// FastChanged reports whether a lost session makes the machine take over, or why
	// not.
	FastChanged
	// PathChanged reports that a path fell silent, is heard again or is crossed: see Paths. No
	// Machine asks for it.
	PathChanged
)

// An Action is one effect that a Machine asks for. Its fields are set for the
// verbs named, and zero for the others.
type Action struct {
	Verb        Verb
	Priority    uint8    // SendAdvert, SendBackup: of the message; otherwise the priority in force
	OldPriority uint8    // PriorityChanged: the priority before
	From, To    State    // Transition; PriorityChanged: To is the state
	Why         string   // Transition, Rival, PriorityChanged, HeldBack, FastChanged: the reason, for people
	Takeover    Takeover // Transition to Master: the reason as RFC 6527 classifies it
	Answer      bool     // SendBackup: the message answers one, and nobody answers it
	Peer        *Peer    // Rival: the other router; nil: it is gone. SendBackup, WantSession, FastChanged: see there; only Address is set
	Armed       bool     // FastChanged: it does
	Unserved    bool     // Claim: no router serves the addresses
	// Lost is, with Claim, the MASTER that has fallen silent without giving up. It is
	// not valid if no MASTER was heard, or Planned is set.
	Lost netip.Addr
	// Planned says, with Claim, that the MASTER gave its addresses away or is heard
	// still.
	Planned bool
	First   int // Announce: the number of addresses; 0: all
}

// String describes the action as the scenario files of the tests do.
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
	case HeldBack:
		return "held back: " + a.Why
	case SendBackup:
		if a.Peer == nil {
			return fmt.Sprintf("bid priority=%d", a.Priority)
		}
		if a.Answer {
			return fmt.Sprintf("answer %v priority=%d", a.Peer.Address, a.Priority)
		}
		return fmt.Sprintf("ask %v priority=%d", a.Peer.Address, a.Priority)
	case WantSession:
		if a.Peer == nil {
			return "want no session"
		}
		return fmt.Sprintf("want session with %v", a.Peer.Address)
	case FastChanged:
		if a.Armed {
			return fmt.Sprintf("fast with %v", a.Peer.Address)
		}
		return "not fast: " + a.Why
	}
	return "?"
}
