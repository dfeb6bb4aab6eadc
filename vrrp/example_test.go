package vrrp_test

import (
	"fmt"
	"net/netip"
	"time"

	"holdfast/vrrp"
)

// An advert of a dying MASTER, and what a BACKUP makes of it: a packet is decoded and
// admitted, the group gets it as an event, and the claim that follows is answered.
func ExampleGroup_Step() {
	own, master := netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.1")
	group := vrrp.NewGroup("", vrrp.Config{
		Name: "outside", Family: vrrp.IPv4, Version: 3, VRID: 51, Priority: 100, Interval: time.Second,
		Preempt: true, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.100")},
	})
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	show := func(actions []vrrp.MemberAction) {
		for _, a := range actions {
			fmt.Println(a.Action)
		}
	}
	show(group.Step(now, 0, vrrp.Primary{Address: own}))
	show(group.Step(now, 0, vrrp.Start{}))

	// The packet as the IP layer delivers it: the MASTER stops with priority 0.
	config := group.Member(0).Config()
	sent := vrrp.Advert{Version: 3, VRID: 51, Priority: vrrp.PriorityStop, Interval: time.Second, Addresses: config.Addresses}
	packet := vrrp.Packet{
		Source: master, Destination: config.MulticastGroup(), HopLimit: vrrp.HopLimit,
		Payload: sent.Append(nil, master, config.MulticastGroup(), config.Checksum),
	}
	var advert vrrp.Advert
	if drop := vrrp.Decode(packet, &advert); drop != vrrp.DropNone {
		fmt.Println("refused:", drop)
	}
	if drop := config.Admit(packet, own, &advert); drop != vrrp.DropNone {
		fmt.Println("refused:", drop)
	}
	show(group.Step(now, 0, &vrrp.Received{Advert: &advert, Source: packet.Source}))

	fmt.Println("wake up after", group.Deadline().Sub(now)) // the skew time
	now = group.Deadline()
	show(group.Elapse(now))

	// The addresses are on the device now.
	show(group.Step(now.Add(time.Millisecond), 0, vrrp.Claimed{}))
	// Output:
	// INIT -> BACKUP (started)
	// wake up after 609.375ms
	// claim
	// send priority=100
	// announce
	// BACKUP -> MASTER (192.0.2.1 gave up (priority 0))
}

// Two routers on one LAN, without a socket or a clock: the caller carries the adverts
// and lets the time pass. The higher priority wins, and the other one takes over when
// its adverts end.
func Example_election() {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	start := now
	addresses := []netip.Addr{netip.MustParseAddr("192.0.2.100")}
	names := []string{"a", "b"}
	sources := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
	var groups []*vrrp.Group
	for i, priority := range []uint8{200, 100} {
		groups = append(groups, vrrp.NewGroup("", vrrp.Config{
			Name: names[i], Family: vrrp.IPv4, Version: 3, VRID: 51, Priority: priority, Interval: time.Second,
			Preempt: true, Addresses: addresses,
		}))
	}
	dead := -1
	var perform func(i int, actions []vrrp.MemberAction)
	step := func(i int, ev vrrp.Event) {
		if i != dead {
			perform(i, append([]vrrp.MemberAction(nil), groups[i].Step(now, 0, ev)...))
		}
	}
	perform = func(i int, actions []vrrp.MemberAction) {
		for _, a := range actions {
			switch a.Verb {
			case vrrp.SendAdvert: // the other router receives it at once
				step(1-i, &vrrp.Received{Source: sources[i], Advert: &vrrp.Advert{
					Version: 3, VRID: 51, Priority: a.Priority, Interval: time.Second, Addresses: addresses,
				}})
			case vrrp.Claim: // this takes no time either
				step(i, vrrp.Claimed{})
			case vrrp.Transition:
				fmt.Printf("%v %s: %v\n", now.Sub(start), names[i], a.Action)
			}
		}
	}
	run := func(until time.Duration) {
		for {
			next := -1
			for i, g := range groups {
				if d := g.Deadline(); i != dead && !d.IsZero() && (next < 0 || d.Before(groups[next].Deadline())) {
					next = i
				}
			}
			if next < 0 || groups[next].Deadline().Sub(start) > until {
				return
			}
			now = groups[next].Deadline()
			perform(next, append([]vrrp.MemberAction(nil), groups[next].Elapse(now)...))
		}
	}
	for i := range groups {
		step(i, vrrp.Primary{Address: sources[i]})
		step(i, vrrp.Start{})
	}
	run(10 * time.Second)
	dead = 0 // the power fails
	run(20 * time.Second)
	// Output:
	// 0s a: INIT -> BACKUP (started)
	// 0s b: INIT -> BACKUP (started)
	// 3.21875s a: BACKUP -> MASTER (no advert heard for 3.219s)
	// 12.828125s b: BACKUP -> MASTER (no advert from 192.0.2.1 for 3.609s)
}
