package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"holdfast/conf"
	"holdfast/lvs"
	"holdfast/netdev/frame"
	"holdfast/netdev/port"
)

// askLimit is how long the doctor waits for answers of neighbours.
const askLimit = 1200 * time.Millisecond

// A place is an address on an interface.
type place struct {
	Interface string
	Address   netip.Addr
}

// answerFacts are the MACs that answer for an address over the wire, by ARP or neighbour
// discovery. The host itself does not hear the question. What is not in Asked could not
// be asked.
type answerFacts struct {
	Asked   map[place]bool
	Answers map[place][]frame.MAC
	Servers map[netip.Addr]bool // realservers of DR, which were asked for too
}

// lookAtAnswers asks for all virtual addresses, and for the realservers of DR, so that
// one that answers for a virtual address can be named.
func lookAtAnswers(ctx context.Context, p *Patient) (answerFacts, error) {
	type wire struct {
		name string
		ipv6 bool
	}
	questions := map[wire][]netip.Addr{}
	for i := range p.Config.VRRP {
		for _, a := range placesOf(&p.Config.VRRP[i]) {
			w := wire{a.Interface, a.Address.Is6()}
			questions[w] = append(questions[w], a.Address)
		}
	}
	type reply struct {
		wire
		answers map[netip.Addr][]frame.MAC
		err     error
	}
	replies := make(chan reply, len(questions))
	for w, addresses := range questions {
		addresses = append(addresses, directServers(p.Config, w.ipv6)...)
		go func() {
			answers, err := port.WhoHas(ctx, w.name, askLimit, addresses...)
			replies <- reply{w, answers, err}
		}()
	}
	f := answerFacts{map[place]bool{}, map[place][]frame.MAC{}, map[netip.Addr]bool{}}
	for _, a := range append(directServers(p.Config, false), directServers(p.Config, true)...) {
		f.Servers[a] = true
	}
	var errs []error
	for range len(questions) {
		r := <-replies
		errs = append(errs, r.err)
		for _, a := range questions[r.wire] {
			f.Asked[place{r.name, a}] = r.err == nil
		}
		for a, macs := range r.answers {
			f.Answers[place{r.name, a}] = macs
		}
	}
	return f, errors.Join(errs...)
}

// placesOf returns the addresses of a virtual router with their interfaces.
func placesOf(in *conf.Instance) (all []place) {
	for _, a := range slices.Concat(in.Prefixes, in.Excluded) {
		name := in.Interface
		if a.Interface != "" {
			name = a.Interface
		}
		all = append(all, place{name, a.Addr().Unmap()})
	}
	return all
}

// directServers returns the addresses of the realservers of DR.
func directServers(c *conf.Config, ipv6 bool) (all []netip.Addr) {
	for _, s := range balanced(c) {
		for _, v := range s.Servers {
			a := v.Server.Address.Addr().Unmap()
			if v.Server.Forward == lvs.DR && a.Is6() == ipv6 && !slices.Contains(all, a) {
				all = append(all, a)
			}
		}
	}
	return all
}

func judgeAnswers(p *Patient, f answerFacts) (found []Finding) {
	for i := range p.Config.VRRP {
		in := &p.Config.VRRP[i]
		for _, at := range placesOf(in) {
			if !f.Asked[at] {
				continue
			}
			found = append(found, judgePlace(p, in, at, f)...)
		}
	}
	return append(found, judgeFree(p, f)...)
}

// judgePlace judges who answers for an address of a virtual router.
func judgePlace(p *Patient, in *conf.Instance, at place, f answerFacts) (found []Finding) {
	virtual := frame.MAC(in.MAC.Address)
	var strangers []frame.MAC
	served := false // by another director
	for _, mac := range f.Answers[at] {
		switch {
		case mac == virtual:
			served = true
		case in.MAC.Mode == conf.MACInterface && !p.master(in.Name) && !served && f.server(at.Interface, mac) == netip.Addr{}:
			served = true // the MASTER has the MAC of its interface
		default:
			strangers = append(strangers, mac)
		}
	}
	for _, mac := range strangers {
		found = append(found, stranger(p, in, at, mac, f))
	}
	state := p.state(in.Name)
	switch {
	case served && state == "MASTER":
		found = append(found, Finding{Severity: Error,
			What: fmt.Sprintf("another host answers for %v on %s with the virtual MAC address %v, and %s is MASTER here", at.Address, at.Interface, virtual, in.Name),
			Why:  "There are two MASTERs: frames go now to one and now to the other.",
			Cure: fmt.Sprintf("holdfast status on all directors; tcpdump -eni %s vrrp shows whose adverts arrive; holdfast release on a director that crashed", in.Interface)})
	case state == "BACKUP" && !served && len(strangers) == 0:
		found = append(found, Finding{Severity: Error,
			What: fmt.Sprintf("nobody answers for %v on %s, and %s is BACKUP here", at.Address, at.Interface, in.Name),
			Why:  "A MASTER sends adverts, and does not serve the address, or the wire loses the question or the answer.",
			Cure: "holdfast status and holdfast doctor on the MASTER; holdfast handover there moves the addresses"})
	}
	return found
}

// judgeFree notes, before the start, for which addresses nobody answers: one note for each
// interface, because there may be hundreds.
func judgeFree(p *Patient, f answerFacts) (found []Finding) {
	if p.Status != nil {
		return nil
	}
	free := map[string][]string{}
	var names []string
	for i := range p.Config.VRRP {
		for _, at := range placesOf(&p.Config.VRRP[i]) {
			if !f.Asked[at] || len(f.Answers[at]) > 0 {
				continue
			}
			if free[at.Interface] == nil {
				names = append(names, at.Interface)
			}
			free[at.Interface] = append(free[at.Interface], at.Address.String())
		}
	}
	for _, name := range names {
		found = append(found, Finding{Severity: Note, What: "nobody answers on " + name + " for " + strings.Join(free[name], ", ")})
	}
	return found
}

// server returns the realserver that has a MAC on an interface; the zero Addr if none has.
func (f *answerFacts) server(name string, mac frame.MAC) netip.Addr {
	for at, macs := range f.Answers {
		if f.Servers[at.Address] && at.Interface == name && slices.Contains(macs, mac) {
			return at.Address
		}
	}
	return netip.Addr{}
}

// stranger returns the finding about a host that answers for an address and should not.
func stranger(p *Patient, in *conf.Instance, at place, mac frame.MAC, f answerFacts) Finding {
	protocol := "ARP"
	if at.Address.Is6() {
		protocol = "neighbour discovery"
	}
	one := Finding{Severity: Error,
		What: fmt.Sprintf("%v answers %s for the virtual address %v on %s; the virtual MAC address of %s is %v", mac, protocol, at.Address, at.Interface, in.Name, frame.MAC(in.MAC.Address)),
		Why:  "Clients and routers that hear this answer send their packets there.",
		Cure: fmt.Sprintf("find the host (ip neigh show | grep %v; the switch knows its port) and take %v away from it: ip address show to %v", mac, at.Address, at.Address)}
	if p.Status == nil {
		one.Why += " It may be the program that this director replaces."
	}
	if server := f.server(at.Interface, mac); server.IsValid() {
		one.What = fmt.Sprintf("the realserver %v (%v) answers %s for the virtual address %v on %s", server, mac, protocol, at.Address, at.Interface)
		one.Why = "Clients that hear this answer go to that realserver alone, past the director."
		one.Cure = fmt.Sprintf("on the realserver: holdfast realserver up --vip %v", at.Address)
	}
	if in.MAC.Mode == conf.MACInterface {
		one.What = strings.Replace(one.What, fmt.Sprintf("; the virtual MAC address of %s is %v", in.Name, frame.MAC(in.MAC.Address)), "", 1)
	}
	return one
}
