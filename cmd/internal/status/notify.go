package status

import (
	"fmt"
	"strconv"
	"time"
)

// OutletScripts is the Name of the outlet for scripts. A failed script affects only
// its own event. The daemon still runs the scripts for the next event.
const OutletScripts = "scripts"

// An Outlet is the state of one outlet for events: the scripts, or a receiver such as
// a FIFO.
type Outlet struct {
	Name      string `json:"name"`      // "scripts", or type and target: "fifo /run/holdfast/notify.fifo"
	Queued    int    `json:"queued"`    // events that wait or are being delivered
	Delivered uint64 `json:"delivered"` // events; for scripts, runs that succeeded
	Failed    uint64 `json:"failed"`    // deliveries that failed, which may be tried again; for scripts, runs
	// Dropped counts events that were not delivered because too many were queued,
	// they were too old, or the receiver refused them. For scripts, Dropped counts
	// states that ended before the script could run.
	Dropped      uint64    `json:"dropped"`
	LastDelivery time.Time `json:"last_delivery,omitzero"`
	LastError    string    `json:"last_error,omitempty"` // the latest error, kept after later successes
	LastErrorAt  time.Time `json:"last_error_at,omitzero"`
	FailingSince time.Time `json:"failing_since,omitzero"` // zero: the latest delivery succeeded
}

// notify writes a row for each outlet. It omits the scripts if no script has run or
// been dropped, and none is queued.
func (s *Status) notify(b *page) {
	var t table
	t.header("NAME", ">QUEUED", ">DELIVERED", ">DROPPED", ">LAST")
	shown := false
	for i := range s.Notify {
		o := &s.Notify[i]
		if *o == (Outlet{Name: OutletScripts}) {
			continue
		}
		shown = true
		last := "-"
		if !o.LastDelivery.IsZero() {
			last = s.ago(o.LastDelivery) + " ago"
		}
		t.row(o.Name, strconv.Itoa(o.Queued), strconv.FormatUint(o.Delivered, 10), strconv.FormatUint(o.Dropped, 10), last)
		t.unwell(!o.FailingSince.IsZero())
		switch {
		case !o.FailingSince.IsZero():
			t.note(fmt.Sprintf("fails for %s: %s", s.ago(o.FailingSince), o.LastError))
		case o.LastError != "":
			t.note(fmt.Sprintf("failed %s ago: %s", s.ago(o.LastErrorAt), o.LastError))
		}
	}
	if shown {
		b.WriteString("\nNOTIFY\n")
		t.write(b)
	}
}

func (o *Outlet) unwell(say sayer) {
	if !o.FailingSince.IsZero() && o.Name != OutletScripts {
		say("notify %s: %s", o.Name, o.LastError)
	}
}
