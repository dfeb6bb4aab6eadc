package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"

	"holdfast/conf"
	"holdfast/netdev/frame"
	"holdfast/netdev/port"
)

// unusedMAC has the prefix of virtual MACs and VRID 0, which no virtual router can have
// (RFC 9568 §5.2.3). So a switch that learns it here takes it away from nobody. To send
// from the virtual MAC itself would take that away from the MASTER.
var unusedMAC = frame.MAC{0x00, 0x00, 0x5e, 0x00, 0x01, 0x00}

// A filterFacts says whether a neighbour answers another MAC than the interface's.
type filterFacts struct {
	Interface string
	Neighbour netip.Addr // answers the interface's own MAC; zero: nobody does
	Probe     frame.MAC
	Answered  bool
}

func lookAtFilter(ctx context.Context, p *Patient) ([]filterFacts, error) {
	probes := map[string]frame.MAC{}
	for i := range p.Config.VRRP {
		in := &p.Config.VRRP[i]
		if in.MAC.Mode == conf.MACInterface {
			continue
		}
		for _, name := range in.Interfaces() {
			if _, known := probes[name]; !known {
				probes[name] = unusedMAC
			}
			if p.master(in.Name) {
				probes[name] = frame.MAC(in.MAC.Address) // it is sent from here anyway
			}
		}
	}
	type reply struct {
		filterFacts
		err error
	}
	replies := make(chan reply, len(probes))
	for name, mac := range probes {
		go func() {
			f, err := probeFilter(ctx, p, name, mac)
			replies <- reply{f, err}
		}()
	}
	var all []filterFacts
	var errs []error
	for range len(probes) {
		r := <-replies
		all, errs = append(all, r.filterFacts), append(errs, r.err)
	}
	slices.SortFunc(all, func(a, b filterFacts) int { return slices.Compare([]byte(a.Interface), []byte(b.Interface)) })
	return all, errors.Join(errs...)
}

// probeFilter looks for a neighbour that answers the interface, and asks it from the
// probe.
func probeFilter(ctx context.Context, p *Patient, name string, probe frame.MAC) (filterFacts, error) {
	f := filterFacts{Interface: name, Probe: probe}
	candidates, err := neighbours(p, name)
	if err != nil || len(candidates) == 0 {
		return f, errors.Join(err, fmt.Errorf("no neighbour on %s is known that could be asked", name))
	}
	answers, err := port.WhoHas(ctx, name, askLimit/2, candidates...)
	if err != nil {
		return f, err
	}
	for _, c := range candidates {
		if len(answers[c]) > 0 {
			f.Neighbour = c
			break
		}
	}
	if !f.Neighbour.IsValid() {
		return f, fmt.Errorf("no neighbour on %s answers, so that a filter cannot be seen: asked %v", name, candidates)
	}
	answers, err = port.WhoAnswersTo(ctx, probe, name, askLimit/2, f.Neighbour)
	f.Answered = len(answers[f.Neighbour]) > 0
	if err != nil {
		f.Neighbour = netip.Addr{}
	}
	return f, err
}

// neighbourLimit bounds how many neighbours are asked.
const neighbourLimit = 8

// neighbours returns IPv4 addresses on the link of an interface: gateways first, then what
// the neighbour table has.
func neighbours(p *Patient, name string) (all []netip.Addr, err error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", name, err)
	}
	virtual := map[netip.Addr]bool{}
	for i := range p.Config.VRRP {
		for _, at := range placesOf(&p.Config.VRRP[i]) {
			virtual[at.Address] = true
		}
	}
	add := func(ip []byte) {
		a, ok := netip.AddrFromSlice(ip)
		if a = a.Unmap(); ok && a.Is4() && !virtual[a] && a.IsGlobalUnicast() && !slices.Contains(all, a) && len(all) < neighbourLimit {
			all = append(all, a)
		}
	}
	routes, err := netlink.RouteList(link, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list the routes of %s: %w", name, err)
	}
	for _, r := range routes {
		add(r.Gw)
	}
	for _, peer := range p.heard(name) {
		add(peer.AsSlice())
	}
	known, err := netlink.NeighList(link.Attrs().Index, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list the neighbours of %s: %w", name, err)
	}
	for _, n := range known {
		add(n.IP)
	}
	for _, s := range balanced(p.Config) {
		for _, v := range s.Servers {
			if routes, err := netlink.RouteGet(v.Server.Address.Addr().AsSlice()); err == nil && routes[0].LinkIndex == link.Attrs().Index && routes[0].Gw == nil {
				add(v.Server.Address.Addr().AsSlice())
			}
		}
	}
	return all, nil
}

func judgeFilter(_ *Patient, all []filterFacts) (found []Finding) {
	for _, f := range all {
		if !f.Neighbour.IsValid() || f.Answered {
			continue
		}
		found = append(found, Finding{
			Severity: Warning,
			What:     fmt.Sprintf("%v answers %s when it asks from its own MAC address, and does not when it asks from %v", f.Neighbour, f.Interface, f.Probe),
			Why:      "The network card, the hypervisor or the switch seems to drop frames with a virtual MAC address: nobody would reach the virtual addresses.",
			Cure: "allow MAC address changes and forged transmits on the port (VMware), MAC spoofing (Hyper-V, libvirt, Proxmox), the allowed address pairs (OpenStack), " +
				"or lift port security on the switch; or set mac = \"interface\"",
		})
	}
	return found
}

// heard returns the directors whose adverts arrive on an interface.
func (p *Patient) heard(name string) (all []netip.Addr) {
	if p.Status == nil {
		return nil
	}
	for _, in := range p.Status.VRRP {
		if in.Interface != name || in.Master == nil {
			continue
		}
		if a, err := netip.ParseAddr(in.Master.Address); err == nil {
			all = append(all, a)
		}
	}
	return all
}
