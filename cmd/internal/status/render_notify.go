package status

import (
	"fmt"
	"strconv"
)

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
