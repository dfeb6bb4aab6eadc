package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// BFD is the state of Bidirectional Forwarding Detection.
type BFD struct {
	Sessions []BFDSession `json:"sessions"`
	// Dropped counts, by reason, the packets that were not accepted and belong to no
	// session.
	Dropped map[string]uint64 `json:"dropped"`
}

// A BFDSession is the state of a BFD session with a neighbour.
type BFDSession struct {
	Name          string    `json:"name"`
	Neighbour     string    `json:"neighbour"`
	Source        string    `json:"source,omitempty"`
	Interface     string    `json:"interface,omitempty"`
	Multihop      bool      `json:"multihop"`
	State         string    `json:"state"` // AdminDown, Down, Init or Up
	Since         time.Time `json:"since"`
	Reason        string    `json:"reason"` // why the session is in State
	Diag          string    `json:"diag"`   // the diagnostic code that we send
	Discriminator uint32    `json:"discriminator"`
	Port          int       `json:"port"` // source port of our packets; 0: there is no socket
	// TxMS is the time between our packets before jitter, in milliseconds. It is 0
	// while we send none.
	TxMS        float64   `json:"tx_ms"`
	DetectionMS float64   `json:"detection_ms"` // detection time in milliseconds; 0: no packets arrive from the neighbour
	LastHeard   time.Time `json:"last_heard,omitzero"`
	// Remote is what the neighbour reports; nil: no packets arrive from the neighbour.
	Remote *BFDRemote `json:"remote,omitempty"`
	// Trouble is why the session cannot receive or send packets.
	Trouble         string `json:"trouble,omitempty"`
	PacketsSent     uint64 `json:"packets_sent"`
	PacketsUnsent   uint64 `json:"packets_unsent"`   // packets that the kernel refused to send
	PacketsReceived uint64 `json:"packets_received"` // packets that passed every check
	Ups             uint64 `json:"ups"`              // how often the session entered Up
	Downs           uint64 `json:"downs"`            // how often the session left Up
	// Dropped counts the packets that were not accepted, by reason.
	Dropped  map[string]uint64 `json:"dropped"`
	LastDrop string            `json:"last_drop,omitempty"` // reason of the latest drop
}

// A BFDRemote is a session as the neighbour reports it. The times are in milliseconds.
type BFDRemote struct {
	State         string  `json:"state"`
	Diag          string  `json:"diag"`
	Discriminator uint32  `json:"discriminator"`
	MinTxMS       float64 `json:"min_tx_ms"`
	MinRxMS       float64 `json:"min_rx_ms"`
	Multiplier    int     `json:"multiplier"`
}

// bfd writes the BFD sessions (Bidirectional Forwarding Detection).
func (s *Status) bfd(b *page) {
	if s.BFD == nil {
		return
	}
	b.WriteString("\nBFD\n")
	var t table
	t.header("NAME", "NEIGHBOUR", "INTERFACE~6", "STATE", ">FOR", ">EVERY~4", ">DETECTION~5", ">SENT~1", ">RECEIVED~2", ">FALLS~7", "DROPPED~3")
	for i := range s.BFD.Sessions {
		k := &s.BFD.Sessions[i]
		every, detection := "-", "-"
		if k.TxMS != 0 {
			every = milliseconds(k.TxMS)
		}
		if k.DetectionMS != 0 {
			detection = milliseconds(k.DetectionMS)
		}
		t.row(k.Name, k.neighbour(), cmp.Or(k.Interface, "-"), k.State, s.ago(k.Since), every, detection,
			count(k.PacketsSent), count(k.PacketsReceived), count(k.Downs), dropped(k.Dropped))
		t.unwell(k.State != "Up")
		if k.State != "Up" {
			t.note(k.Reason)
		}
		if k.Trouble != "" {
			t.note(k.Trouble)
		}
	}
	t.write(b)
	if len(s.BFD.Dropped) > 0 {
		b.WriteString("  dropped, of no session: " + dropped(s.BFD.Dropped) + "\n")
	}
}

func (k *BFDSession) neighbour() string {
	if k.Multihop {
		return k.Neighbour + " (multihop)"
	}
	return k.Neighbour
}

// dropped returns the counts by reason, such as "ttl 3, auth 1", or "-" if there are none.
func dropped(reasons map[string]uint64) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		list = append(list, fmt.Sprintf("%s %s", name, count(reasons[name])))
	}
	return cmp.Or(strings.Join(list, ", "), "-")
}

func (b *BFD) complete() {
	if b == nil {
		return
	}
	b.Sessions = list(b.Sessions)
	if b.Dropped == nil {
		b.Dropped = map[string]uint64{}
	}
	for i := range b.Sessions {
		if b.Sessions[i].Dropped == nil {
			b.Sessions[i].Dropped = map[string]uint64{}
		}
	}
}

func (b *BFD) unwell(say sayer) {
	if b == nil {
		return
	}
	for i := range b.Sessions {
		if k := &b.Sessions[i]; k.Trouble != "" {
			say("bfd %s: %s", k.Name, k.Trouble)
		}
	}
}
