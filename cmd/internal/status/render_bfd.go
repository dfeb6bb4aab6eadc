package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

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
