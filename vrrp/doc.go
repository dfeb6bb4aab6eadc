// Package vrrp decides what a virtual router does.
//
// It implements the state machine of RFC 3768 (version 2) and of RFC 5798 and
// RFC 9568 (version 3), for IPv4 and IPv6. RFC 9568 writes Active and Backup
// Router; this package keeps the older words that every tool of the field
// shows, MASTER and BACKUP.
//
// The package is pure: it has no socket, goroutine, clock or log. Bytes,
// events and the time come in, actions go out:
//
//	drop := vrrp.Decode(packet, &advert)                // checks that need no configuration
//	drop = machine.Config().Admit(packet, own, &advert) // checks that do
//	drop = guard.Check(now, packet, datagram)           // who it comes from: package auth
//	steps := group.Step(now, member, &vrrp.Received{Advert: &advert, Source: src})
//	for _, s := range steps { perform(s) }              // in order
//	wakeAt := group.Deadline()                          // then group.Elapse(now)
//
// A [Machine] is one virtual router. A [Group] is one or more machines that
// are MASTER together or not at all; the caller drives every machine through
// its group, a lone one through a group of one.
//
// # Holding addresses
//
// MASTER means that the addresses are held. A machine that decides to take
// over asks for them with [Claim], stays BACKUP until the caller answers
// [Claimed], and only then sends its first advert: an advert attracts
// traffic, and a director that is not yet the receiver of the addresses would
// forward that traffic to the old one. Where there is no old one any more, and so
// nothing to lose, it speaks for the first of many addresses before it has all
// ([ClaimedPart]).
//
// Letting go is the reverse. A MASTER that stops, yields or is preempted first
// stops speaking for the addresses ([Mute]) but goes on serving what still
// arrives. It lets go ([Release]) a moment after it has heard the new MASTER,
// or when the time in which one would have appeared is over. So a planned
// change of MASTER leaves no moment in which nobody serves.
//
// # Order of actions
//
// Actions are performed in the order given. These orders are guaranteed:
//
//   - Claim, and its answer Claimed or a ClaimedPart, before the first SendAdvert;
//   - SendAdvert before Announce: switches learn the virtual MAC from either,
//     other virtual routers only from the advert;
//   - SendAdvert with priority 0 before Mute, Mute before Release;
//   - Transition last, when what it tells has been ordered.
package vrrp
