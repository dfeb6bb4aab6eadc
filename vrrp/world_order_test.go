package vrrp

import (
	"fmt"
	"slices"
)

// perform does what the machines want and watches the promised order.
func (n *node) perform(g *Group, actions []MemberAction) {
	for _, a := range actions {
		i := a.Member
		if i != WholeGroup {
			i = slices.IndexFunc(n.ports, func(p port) bool { return p.group == g && p.member == a.Member })
			n.act(i, a.Action)
		}
		if n.w.log != nil {
			n.w.log(n, i, a.String())
		}
	}
	n.arm()
}

func (n *node) act(member int, a Action) {
	p := &n.ports[member]
	broken := func(format string, args ...any) {
		n.w.violate("%s: %s", n.portName(member), fmt.Sprintf(format, args...))
	}
	switch a.Verb {
	case SendAdvert:
		if p.hold != held && !(p.hold == claiming && p.part) || p.device != up {
			broken("sends an advert without holding the addresses")
		}
		p.advertised = true
		n.transmit(member, a.Priority)
	case SendBackup:
		n.transmitBackup(member, a.Priority, a.Peer, a.Answer)
	case WantSession:
		n.want(member, a.Peer)
	case Announce:
		if p.hold != held && !(p.hold == claiming && p.part && a.First > 0) || p.device != up || !p.advertised {
			broken("announces the addresses before they are held and advertised")
		}
	case Claim:
		if p.hold == claiming {
			broken("claims twice")
		}
		if n.w.accused != nil && n.machine(member).fast.dead {
			n.w.accused(n, member)
		}
		if p.hold != held {
			p.hold, p.advertised, p.part = claiming, false, false
		}
		n.work(member, up)
		if a.Unserved && (p.claimsParts || n.w.parts > 0 && n.w.rng.Float64() < n.w.parts) {
			n.claimPart(member)
		}
	case Mute:
		if p.hold != held {
			broken("mutes what it does not hold")
		}
		p.hold = muted
		n.work(member, silent)
	case Release:
		if p.hold == nothing {
			broken("releases what it does not have")
		}
		p.hold = nothing
		n.work(member, down)
	case Transition:
		switch {
		case a.From == a.To:
			broken("tells a change from %v to itself", a.From)
		case a.To == Master && (p.hold != held || !p.advertised):
			broken("is MASTER before it holds and advertises the addresses")
		case a.To != Master && p.hold == held:
			broken("is %v and still speaks for the addresses", a.To)
		}
	case Stopped:
		if p.hold != nothing {
			broken("has stopped and still has the addresses")
		}
	}
}

// work does an order after those before it, and answers a claim.
func (n *node) work(member int, to device) {
	p := &n.ports[member]
	p.order++
	order, life := p.order, n.life
	p.freeAt = max(p.freeAt, n.w.now) + n.w.between(n.w.workMin, n.w.workMax)
	fails := p.claimFails || n.w.rng.Float64() < n.w.claimLoss
	n.w.at(p.freeAt, func() {
		if n.life != life {
			return
		}
		if to == up && fails {
			n.answer(member, life, order, ClaimFailed{Problem: "no device"})
			return
		}
		p.device = to
		n.w.moved()
		if to == up {
			n.answer(member, life, order, Claimed{})
		}
	})
}

// claimPart has the first address up shortly before a claim is done.
func (n *node) claimPart(member int) {
	p := &n.ports[member]
	order, life := p.order, n.life
	n.w.at(p.freeAt-n.w.workMin/2, func() {
		if n.life != life || p.order != order {
			return
		}
		p.device = up
		n.w.moved()
		n.answer(member, life, order, ClaimedPart{Addresses: 1})
	})
}

func (n *node) answer(member, life int, order uint64, ev Event) {
	n.whenAble(life, func() {
		p := &n.ports[member]
		if p.order != order {
			return
		}
		switch ev.(type) {
		case Claimed:
			p.hold = held
		case ClaimedPart:
			p.part = true
		}
		n.step(member, ev)
	})
}
