package doctor

import "net/netip"

// A probePacket is a packet that must pass: the first of its connection. What is zero is
// not known.
type probePacket struct {
	What     string // "VRRP adverts on eth0"
	Out      bool   // sent by this host, not received
	Device   string
	Protocol byte
	IPv6     bool
	Src, Dst netip.Addr
	Port     uint16 // destination port
}

// An answer says whether a condition holds.
type answer uint8

const (
	no answer = iota
	maybe
	yes
)

func (a answer) and(b answer) answer { return min(a, b) }
func (a answer) not() answer         { return yes - a }

func answerOf(b bool) answer {
	if b {
		return yes
	}
	return no
}

// An outcome is what a rule or chain does with a packet.
type outcome uint8

const (
	onward  outcome = iota // the next rule
	accepts                // for this chain
	drops
	returns
	jumps
	goes    // jumps, and what follows in this chain is not for the packet
	obscure // it may be accepted
)

// A fwRule is a rule of either kind of firewall.
type fwRule struct {
	Text  string
	judge func(*probePacket) (answer, outcome, string) // the string is the chain to jump to
}

// A fwChain is a chain. Hook is "" where only jumps lead.
type fwChain struct {
	Kind, Table, Name string // "nftables", "inet filter", "input"
	Hook              fwHook
	Drop              bool // the policy
	Rules             []fwRule
	fits              func(*probePacket) bool // family and device
}

// A fwHook is where a chain is asked.
type fwHook string

const (
	incoming fwHook = "in"
	outgoing fwHook = "out"
)

// firewallFacts are all chains.
type firewallFacts struct{ Chains []*fwChain }

// dropper returns the rule that certainly drops a packet, "its policy" for the policy.
// It goes through every chain, because a packet must pass all.
func (f *firewallFacts) dropper(p *probePacket) (*fwChain, string) {
	for _, c := range f.Chains {
		if c.Hook == "" || (c.Hook == outgoing) != p.Out || !c.fits(p) {
			continue
		}
		verdict, rule := f.walk(c, p, 0)
		switch {
		case verdict == drops:
			return c, rule
		case verdict == onward && c.Drop || verdict == returns && c.Drop:
			return c, "its policy"
		}
	}
	return nil, ""
}

// jumpDepth is more than the kernel allows (NFT_JUMP_STACK_SIZE).
const jumpDepth = 16

// walk returns what the rules of a chain do with a packet. A rule that may accept it makes
// the outcome obscure; one that may drop it is passed over.
func (f *firewallFacts) walk(c *fwChain, p *probePacket, depth int) (outcome, string) {
	if depth > jumpDepth {
		return obscure, ""
	}
	for _, r := range c.Rules {
		fit, does, target := r.judge(p)
		text := r.Text
		if does == jumps || does == goes {
			after := onward // where a packet goes on that comes back
			if does == goes {
				after = returns
			}
			does = obscure
			if sub := f.chain(c, target); sub != nil {
				does, text = f.walk(sub, p, depth+1)
			}
			if does == onward || does == returns {
				does = after
			}
		}
		switch {
		case fit == no || does == onward || fit == maybe && does == drops:
		case fit == maybe:
			return obscure, ""
		default:
			return does, text
		}
	}
	return onward, ""
}

func (f *firewallFacts) chain(from *fwChain, name string) *fwChain {
	for _, c := range f.Chains {
		if c.Kind == from.Kind && c.Table == from.Table && c.Name == name {
			return c
		}
	}
	return nil
}
