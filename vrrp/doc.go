// Package vrrp decides what a virtual router does: when it becomes MASTER, when
// it gives way, and what it sends.
//
// It implements the state machines of RFC 3768 (version 2) and of RFC 5798 and
// RFC 9568 (version 3), for IPv4 and IPv6. RFC 9568 says Active and Backup
// Router; this package says MASTER and BACKUP, as the older RFCs and all common
// tools do.
//
// The package is pure. It has no socket, goroutine, clock or log: packets, events
// and the time come in, actions go out. Package speaker is the loop around it.
//
// # The loop
//
// A [Machine] is one virtual router. A [Group] is one machine, or several that
// are MASTER together or not at all. The caller drives every machine through its
// group, and has three things to do.
//
// It passes on each packet that arrives:
//
//	drop := vrrp.Decode(packet, &advert)                 // checks that need no configuration
//	drop = machine.Config().Admit(packet, own, &advert)  // checks that need it
//	drop = guard.Check(now, packet, datagram)            // authentication: package auth
//	actions := group.Step(now, member, &vrrp.Received{Advert: &advert, Source: source})
//
// It wakes up at the group's deadline, whenever that is:
//
//	actions := group.Elapse(now) // at group.Deadline(), which every call may change
//
// It performs the actions in the order given, and reports the outcome of a
// [Claim] as an event of its own:
//
//	for _, a := range actions {
//		switch a.Verb {
//		case vrrp.SendAdvert: // multicast or unicast an advert with a.Priority
//		case vrrp.Claim:      // put the addresses on; then Step with Claimed or ClaimFailed
//		case vrrp.Announce:   // gratuitous ARP, unsolicited neighbour advertisements
//		case vrrp.Mute:       // stop answering ARP and ND
//		case vrrp.Release:    // take the addresses off
//		}
//	}
//
// Every [Event] and every [Verb] has its own description.
//
// # Becoming MASTER
//
// A MASTER holds its addresses. A machine that decides to take over asks for them
// with Claim and stays BACKUP until the caller answers [Claimed]. Only then does
// it send its first advert. An advert attracts traffic, and a director whose
// device is not up yet would lose it. If no other router serves the addresses,
// there is no traffic to lose: [ClaimedPart] lets a machine with many addresses
// advertise and announce the first of them while the others are still added.
//
// # Ceasing to be MASTER
//
// A MASTER that stops, hands over or is preempted stops answering for the
// addresses (Mute), but goes on serving the packets that still arrive. It takes
// the addresses off (Release) shortly after the new MASTER's first advert, or when
// the time in which a new MASTER would have appeared is over. So a planned change
// of MASTER has no moment in which no router serves.
//
// # Order of actions
//
// These orders are guaranteed:
//
//   - Claim and its answer, Claimed or a ClaimedPart, come before the first
//     SendAdvert.
//   - SendAdvert comes before Announce: switches learn the virtual MAC from
//     either, other virtual routers only from the advert.
//   - SendAdvert with priority 0 comes before Mute, and Mute before Release.
//   - Transition comes last, when everything that it stands for was ordered.
package vrrp
