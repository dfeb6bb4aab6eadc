package status

import (
	"fmt"
	"time"
)

// A Path is one of several interfaces by which the adverts of a virtual router go. What
// is wrong with it is in the problems, with the kind path.
type Path struct {
	Interface string   `json:"interface"`
	Source    string   `json:"source,omitempty"`    // address that adverts come from; "" if there is none
	Multicast string   `json:"multicast,omitempty"` // destination group; "" with unicast
	Peers     []string `json:"peers,omitempty"`     // as of the instance, by their addresses on this path
	// LastHeard is when the last advert arrived. Silent is true while the MASTER is heard
	// by another path only. It is false on a MASTER, which hears nobody.
	LastHeard time.Time `json:"last_heard,omitzero"`
	Silent    bool      `json:"silent,omitempty"`
	// The counters begin when the instance starts in this process.
	AdvertsSent     uint64 `json:"adverts_sent"`
	AdvertsReceived uint64 `json:"adverts_received"` // adverts that passed every check
	// Copies counts the adverts of AdvertsReceived that another path had brought before.
	Copies  uint64            `json:"copies"`
	Dropped map[string]uint64 `json:"dropped"` // by reason, as in the counters of the instance
}

// pathNotes writes by which interfaces the adverts go, if there are several.
func (s *Status) pathNotes(t *table, v *Instance) {
	for i := range v.Paths {
		p := &v.Paths[i]
		from := "without an address"
		if p.Source != "" {
			from = "from " + p.Source
		}
		t.note(fmt.Sprintf("path %s %s: %s%s sent, %s received", p.Interface, from, s.heard(v, p), count(p.AdvertsSent), count(p.AdvertsReceived)))
	}
}

// heard says when the last advert came by a path. A MASTER hears nobody, and that it does
// not would look like a fault.
func (s *Status) heard(v *Instance, p *Path) string {
	switch {
	case v.State == "MASTER" && !p.LastHeard.After(v.Since):
		return ""
	case p.LastHeard.IsZero():
		return "nothing heard, "
	}
	return fmt.Sprintf("heard %s ago, ", s.ago(p.LastHeard))
}
