package main

import (
	"fmt"

	"holdfast/integration/lab"
)

// frr is FRR's vrrpd. It has no use for FRR's bfdd: no command of vrrpd names a BFD
// session. So there is no row of both.
//
// Its outage after a cut says nothing of failover: a BACKUP of FRR has its addresses on a
// device that is protocol down, which still answers. When the port of the MASTER goes
// down, the switch floods the frames to the virtual MAC, and the BACKUP answers them
// while it waits for three adverts. After a black hole the switch does not flood.
var frr = contender{name: "FRR", launch: func(h *lab.Host, s setup) director {
	// Otherwise every device answers for the addresses of all of them, and asks for others
	// with its own MAC address.
	h.Sysctl("net/ipv4/conf/all/arp_ignore", "1")
	h.Sysctl("net/ipv4/conf/all/arp_announce", "2")
	d := &frrDirector{}
	d.running = h.FRR(s.virtualRouters()...)
	return d
}}

// An frrDirector stays with the configuration and the process that it was launched with.
type frrDirector struct{ running *lab.Process }

func (d *frrDirector) process() *lab.Process { return d.running }
func (d *frrDirector) restart()              { panic("bench: no row restarts FRR") }
func (d *frrDirector) handover() error       { return errNone }
func (d *frrDirector) renew() error          { return errNone }
func (d *frrDirector) reload(setup) error    { return errNone }
func (d *frrDirector) release() error        { return errNone }

// virtualRouters is the configuration for programs of others.
func (s setup) virtualRouters() []lab.VirtualRouter {
	var all []lab.VirtualRouter
	for _, r := range s.routers {
		all = append(all, lab.VirtualRouter{
			Name: r.name, Version: 3, Interface: r.device, VRID: r.vrid, Priority: r.priority, Interval: r.interval,
			Addresses: r.addresses, Excluded: r.excluded, VMAC: true, Device: fmt.Sprintf("v%s-%d", r.device, r.vrid),
		})
	}
	return all
}
