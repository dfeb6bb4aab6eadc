package realserver

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// A Report is the state of a realserver. Its JSON form is what
// "holdfast realserver status --json" prints.
type Report struct {
	VIPs []VIPReport `json:"vips"`
	// Faults keep the VIPs from being served well, one sentence each.
	Faults []string `json:"faults"`
	// Notes may matter; they are no faults.
	Notes []string `json:"notes"`
}

// A VIPReport is the state of one VIP.
type VIPReport struct {
	Address netip.Addr `json:"address"`
	Device  string     `json:"device"`
	Method  Method     `json:"method"`
	Tunnel  Tunnel     `json:"tunnel,omitempty"`
	Present bool       `json:"present"`
	// Managed says that "holdfast realserver up" has set it up.
	Managed bool `json:"managed"`
}

// Look returns the state of the VIPs of o, or of all that Up has set up if o has
// none.
func Look(dir Dir, o Options) (*Report, error) {
	s, err := dir.read()
	if err != nil {
		return nil, err
	}
	vips := maps.Clone(s.VIPs)
	if len(o.VIPs) > 0 {
		if err := o.Validate(); err != nil {
			return nil, err
		}
		vips = map[netip.Addr]vipState{}
		for _, vip := range o.VIPs {
			v, managed := s.VIPs[vip]
			if !managed {
				v = o.vipState(vip)
			}
			vips[vip] = v
		}
	}
	f, err := gather(vips)
	if err != nil {
		return nil, err
	}
	r := report(vips, f)
	for i := range r.VIPs {
		_, r.VIPs[i].Managed = s.VIPs[r.VIPs[i].Address]
	}
	return r, nil
}

// report finds what is wrong with VIPs.
func report(vips map[netip.Addr]vipState, f *facts) *Report {
	r := &Report{VIPs: []VIPReport{}, Faults: []string{}, Notes: []string{}}
	ipv4, dr := false, false
	for _, vip := range slices.SortedFunc(maps.Keys(vips), netip.Addr.Compare) {
		v := vips[vip]
		o := v.options(vip)
		n := o.needs(vip)
		present := r.address(vip, &n, f)
		r.VIPs = append(r.VIPs, VIPReport{Address: vip, Device: n.Device, Method: v.Method, Tunnel: v.Tunnel, Present: present})
		r.tunnel(vip, &n, f)
		ipv4 = ipv4 || vip.Is4()
		dr = dr || v.Method == DR && vip.Is4()
	}
	if ipv4 {
		r.arp(f)
	}
	if dr {
		r.reversePath(f)
	}
	return r
}

func (r *Report) faultf(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(r.Faults, text) {
		r.Faults = append(r.Faults, text)
	}
}

// address looks for a VIP and reports whether the host has it where it should be.
func (r *Report) address(vip netip.Addr, n *needs, f *facts) (present bool) {
	for _, h := range f.Holders[vip] {
		switch {
		case h.Prefix.Bits() != vip.BitLen() && h.Device == "lo":
			r.faultf("%v is on lo with a prefix of %d bits: the host takes all of %v for its own addresses; it must be %v",
				vip, h.Prefix.Bits(), h.Prefix.Masked(), n.Address)
		case !h.Quiet && vip.Is4():
			r.faultf("%v is an address of %s: the host answers ARP for it there; it belongs on %s", vip, h.Device, n.Device)
		case !h.Quiet:
			r.faultf("%v is an address of %s: the host answers neighbour discovery for it there; it belongs on %s", vip, h.Device, n.Device)
		case h.Device == n.Device && !f.Links[h.Device]:
			r.faultf("%s, which has %v, is down", h.Device, vip)
		}
		present = true
	}
	if !present {
		r.faultf("the host does not have %v: it drops or forwards the packets that the director sends", vip)
	}
	return present
}

func (r *Report) tunnel(vip netip.Addr, n *needs, f *facts) {
	if n.Endpoint == nil {
		return
	}
	device := n.Endpoint.Device
	up, exists := f.Links[device]
	switch {
	case !exists:
		r.faultf("device %s does not exist: nothing takes the packets for %v out of the tunnel; load module %s", device, vip, n.Endpoint.Module)
	case !up:
		r.faultf("%s is down: nothing takes the packets for %v out of the tunnel", device, vip)
	case vip.Is4() && f.Paths[device] == "1":
		r.faultf("rp_filter of %s is 1 (strict): the kernel drops what comes out of the tunnel; net.ipv4.conf.%s.rp_filter must be 2, or 0 there and in \"all\"", device, device)
	}
	if p := (port{n.Port, n.PortIPv6}); n.Port != 0 && !f.Ports[p] {
		r.faultf("the kernel takes no GUE packets on UDP port %d", n.Port)
	}
}

// arp finds interfaces that answer ARP for VIPs, or announce them.
func (r *Report) arp(f *facts) {
	var answer, announce []string
	for _, device := range f.interfaces() {
		a := f.ARP[device]
		if c := ignoreARP(device); !c.good(a.Ignore) {
			answer = append(answer, device)
		}
		if c := announceARP(device); !c.good(a.Announce) {
			announce = append(announce, device)
		}
	}
	if len(answer) > 0 {
		r.faultf("the host answers ARP for the VIPs on %s: arp_ignore must be 1, in net.ipv4.conf.all or there", strings.Join(answer, ", "))
	}
	if len(announce) > 0 {
		r.faultf("the host announces the VIPs on %s: its ARP requests have them as the sender; arp_announce must be 2, in net.ipv4.conf.all or there", strings.Join(announce, ", "))
	}
}

// reversePath notes interfaces whose strict rp_filter drops clients. Whether the
// packets of clients come in there is not known to the host.
func (r *Report) reversePath(f *facts) {
	if f.DefaultDevice == "" {
		return
	}
	for _, device := range f.interfaces() {
		if f.Paths[device] == "1" && device != f.DefaultDevice {
			r.Notes = append(r.Notes, fmt.Sprintf("rp_filter of %s is 1 (strict): if the director's packets arrive there, the kernel drops them, because the way back to clients leads through %s", device, f.DefaultDevice))
		}
	}
}

// String returns the report as text.
func (r *Report) String() string {
	var b strings.Builder
	if len(r.VIPs) == 0 {
		b.WriteString("no VIP is set up\n")
	}
	for _, v := range r.VIPs {
		method := string(v.Method)
		if v.Tunnel != "" {
			method += " " + string(v.Tunnel)
		}
		state := "missing"
		if v.Present {
			state = "there"
		}
		if !v.Managed {
			state += ", not by holdfast"
		}
		fmt.Fprintf(&b, "%-24s %-10s %-9s %s\n", v.Address, v.Device, method, state)
	}
	for _, fault := range r.Faults {
		b.WriteString("UNWELL  " + fault + "\n")
	}
	for _, note := range r.Notes {
		b.WriteString("note    " + note + "\n")
	}
	return b.String()
}
