package status

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Tracker is the state of an object on which the mastership of instances depends.
type Tracker struct {
	Name   string    `json:"name"`
	Type   string    `json:"type"`
	State  string    `json:"state"`            // unknown, up or down
	Since  time.Time `json:"since,omitzero"`   // since when State has had this value
	Number *int      `json:"number,omitempty"` // content of a tracked file
	// Reason is why the latest look had a bad result, or a remark about that look.
	Reason   string    `json:"reason,omitempty"`
	LastLook time.Time `json:"last_look,omitzero"`
	TookMS   float64   `json:"took_ms"` // duration of the latest look, in milliseconds
	Looks    uint64    `json:"looks"`
	Bad      uint64    `json:"looks_bad"`       // looks that had a bad result
	TimedOut uint64    `json:"looks_timed_out"` // bad looks that timed out
	// Note says how the tracker is limited on this host.
	Note string `json:"note,omitempty"`
	// For maps the name of each instance to its weight. With weight 0, the instance
	// is in FAULT while the tracker is down.
	For map[string]int `json:"for"`
}

// trackers writes the trackers, on which virtual routers depend besides their interfaces.
func (s *Status) trackers(b *page) {
	if len(s.Trackers) == 0 {
		return
	}
	b.WriteString("\nTRACKERS\n")
	var t table
	t.header("NAME", "TYPE", "STATE", ">FOR", ">LOOKED~3", ">TOOK~2", ">BAD~4", ">LATE~1", "TRACKED BY")
	for i := range s.Trackers {
		k := &s.Trackers[i]
		last, took := "-", "-"
		if !k.LastLook.IsZero() {
			last, took = s.ago(k.LastLook)+" ago", milliseconds(k.TookMS)
		}
		t.row(k.Name, k.Type, k.state(), s.ago(k.Since), last, took, fmt.Sprintf("%d of %d", k.Bad, k.Looks),
			strconv.FormatUint(k.TimedOut, 10), k.trackedBy())
		t.unwell(k.State == "down")
		if k.Reason != "" {
			t.note(k.Reason)
		}
		if k.Note != "" {
			t.note(k.Note)
		}
	}
	t.write(b)
}

func (k *Tracker) state() string {
	if k.Number == nil {
		return k.State
	}
	return fmt.Sprintf("%s (%d)", k.State, *k.Number)
}

func (k *Tracker) trackedBy() string {
	if len(k.For) == 0 {
		return "-"
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(k.For)) {
		if w := k.For[name]; w != 0 {
			name += fmt.Sprintf(" (%+d)", w)
		}
		list = append(list, name)
	}
	return strings.Join(list, ", ")
}
