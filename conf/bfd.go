package conf

import (
	"net/netip"
	"time"
)

// A BFD is a session of Bidirectional Forwarding Detection (RFC 5880) with a
// neighbour.
type BFD struct {
	Name      string
	Neighbour netip.Addr
	Source    netip.Addr // the zero Addr: the kernel chooses
	Interface string     // "": any
	MinTx     time.Duration
	MinRx     time.Duration
	IdleTx    time.Duration // instead of MinTx while the session is not up
	// Multiplier is how many of our packets may be lost in a row before the
	// neighbour takes the session down.
	Multiplier uint8
	Passive    bool // send nothing before the neighbour does
	Multihop   bool // the neighbour is behind routers (RFC 5883)
	MaxHops    int  // at most so many routers in between; 0 without Multihop
	TTL        uint8
}

// bfdHopLimit is the TTL of single-hop sessions (RFC 5881 §5).
const bfdHopLimit = 255

func (b *BFD) visit(t *table) {
	need(t, "name", &b.Name, name)
	need(t, "neighbour", &b.Neighbour, neighbourAddress)
	field(t, "source", &b.Source, optional(neighbourAddress), netip.Addr{})
	field(t, "interface", &b.Interface, optional(interfaceName), "")
	field(t, "min_tx", &b.MinTx, duration(time.Millisecond, time.Minute), 300*time.Millisecond)
	field(t, "min_rx", &b.MinRx, duration(time.Millisecond, time.Minute), 300*time.Millisecond)
	field(t, "multiplier", &b.Multiplier, integer[uint8](1, 255), 3)
	field(t, "idle_tx", &b.IdleTx, duration(time.Second, time.Minute), time.Second)
	field(t, "passive", &b.Passive, boolean, false)
	field(t, "multihop", &b.Multihop, boolean, false)
	if t.reading() || b.Multihop {
		field(t, "max_hops", &b.MaxHops, integer[int](0, 254), 1)
		field(t, "ttl", &b.TTL, ttl, bfdHopLimit)
	}
	if t.reading() {
		b.check(t)
	}
}

// check checks combinations of keys.
func (b *BFD) check(t *table) {
	if !b.Multihop && t.ok("multihop") {
		t.forbid("without multihop = true", "max_hops", "ttl")
		b.MaxHops, b.TTL = 0, bfdHopLimit
	}
	if !b.Neighbour.IsValid() || !t.ok("neighbour") {
		return
	}
	local := b.Neighbour.Is6() && b.Neighbour.IsLinkLocalUnicast()
	switch {
	case local && b.Multihop:
		t.failf("neighbour", "%v is link-local, so it cannot be behind a router", b.Neighbour)
	case local && b.Interface == "" && t.ok("interface"):
		t.failf("neighbour", "%v is link-local: the key interface is required", b.Neighbour)
	}
	if b.Source.IsValid() && t.ok("source") && b.Source.Is4() != b.Neighbour.Is4() {
		t.failf("source", "%v and the neighbour %v must have the same address family", b.Source, b.Neighbour)
	}
}

// checkBFD refuses sessions with the same neighbour and interface. The first
// packets of a neighbour do not name a session, so holdfast finds it by their
// source and interface.
func (c *Config) checkBFD(s sections) {
	c.checkCheckedBFD(s)
	names := make(unique[string])
	for i, t := range s.bfd {
		b := &c.BFD[i]
		t.useOnce(names, "name", b.Name)
		for j := range i {
			o := &c.BFD[j]
			apart := b.Interface != "" && o.Interface != "" && b.Interface != o.Interface
			if b.Neighbour.IsValid() && b.Neighbour == o.Neighbour && b.Multihop == o.Multihop && !apart && t.ok("neighbour", "interface", "multihop") {
				t.failf("neighbour", "there is already a session with %v, at %s", b.Neighbour, s.bfd[j].where("neighbour"))
				break
			}
		}
	}
}

// checkTrackedBFD refuses a tracker of an unknown session.
func (c *Config) checkTrackedBFD(t *table, k *Track) {
	var names []string
	for i := range c.BFD {
		if c.BFD[i].Name == k.BFD {
			return
		}
		names = append(names, c.BFD[i].Name)
	}
	t.failf("bfd", "there is no [[bfd]] named %q%s", k.BFD, suggest(k.BFD, names))
}
