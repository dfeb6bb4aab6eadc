package auth

import (
	"net/netip"
)

// Marks are the sequence numbers that a Guard knows. The guard of the program that
// replaces this one continues with them: others would refuse numbers that do not
// grow, and without the numbers of others old adverts could be replayed.
type Marks struct {
	Kind     Kind
	Sequence uint64 // of the last message that was sent or, with Header, received
	Senders  []Mark
}

// A Mark is the highest sequence number of a source.
type Mark struct {
	Source   netip.Addr
	Sequence uint64
}

// recallSkip is how many numbers a Guard leaves out after Recall. The other program may
// have sent further messages after it saved its Marks.
const recallSkip = 64

// Marks returns the sequence numbers, the zero Marks if the kind has none. It may be
// called on nil.
func (g *Guard) Marks() Marks {
	if g == nil || g.cfg.Kind != Header && g.cfg.Kind != HMAC {
		return Marks{}
	}
	m := Marks{Kind: g.cfg.Kind, Sequence: g.sequence}
	for _, s := range g.senders.list {
		if s.used != 0 {
			m.Senders = append(m.Senders, Mark{s.source, s.sequence})
		}
	}
	return m
}

// Recall continues with Marks, which are ignored if they are of another kind. It may
// be called on nil.
func (g *Guard) Recall(m Marks) {
	if g == nil || m.Kind != g.cfg.Kind || m.Kind == None {
		return
	}
	if m.Sequence != 0 {
		g.sequence = m.Sequence + recallSkip
	}
	for _, s := range m.Senders[:min(len(m.Senders), numSenders)] {
		g.senders.of(s.Source).sequence = s.Sequence
	}
}

// None reports whether there is nothing to continue with.
func (m *Marks) None() bool { return m.Kind == None }
