package keepalived

import (
	"time"

	"holdfast/conf/convert"
)

// draftBFD makes a [[bfd]] of each bfd_instance, in the order of the file.
func (c *converter) draftBFD() {
	for _, d := range c.named("bfd_instance") {
		if c.trackers.defined["bfd"][d.arg(1)] != d {
			continue
		}
		t := c.draft.List("bfd", d.at)
		t.Set(d.at, "name", c.bfdName(d.arg(1)))
		t.Comment("", d.comments...)
		neighbour := last(d.body, "neighbor_ip", "neighbour_ip")
		if neighbour == nil {
			c.report.Person(d.at, "the bfd_instance has no neighbor_ip: keepalived ignores it")
			continue
		}
		c.set(t, neighbour, "neighbour", neighbour.arg(1))
		if k := last(d.body, "source_ip"); k != nil {
			c.set(t, k, "source", k.arg(1))
		}
		c.draftBFDTimes(t, d)
		if k := last(d.body, "passive"); k != nil {
			c.set(t, k, "passive", true)
		}
		c.draftHops(t, d)
		last(d.body, "weight")
	}
}

// draftBFDTimes sets the timers, which keepalived has in milliseconds.
func (c *converter) draftBFDTimes(t *convert.Table, d *directive) {
	for _, k := range []struct {
		key       string
		otherwise time.Duration
	}{{"min_rx", 10 * time.Millisecond}, {"min_tx", 10 * time.Millisecond}, {"idle_tx", time.Second}} {
		v := k.otherwise
		given := last(d.body, k.key)
		if given != nil {
			ms, ok := seconds(given.arg(1))
			if !ok {
				c.report.Person(given.at, "%s must be a number of milliseconds, not %q", k.key, given.arg(1))
			} else {
				v = (ms / 1000).Round(time.Microsecond)
			}
		}
		t.Set(position(d, given), k.key, duration(v))
	}
	n := 5
	given := last(d.body, "multiplier")
	if given != nil {
		var ok bool
		if n, ok = number(given.arg(1), 1, 255); !ok {
			c.report.Person(given.at, "multiplier must be from 1 to 255, not %q: keepalived takes 5", given.arg(1))
			n = 5
		}
	}
	t.Set(position(d, given), "multiplier", n)
}

// draftHops sets what a session through routers needs.
func (c *converter) draftHops(t *convert.Table, d *directive) {
	hops, ttl := last(d.body, "max_hops"), last(d.body, "ttl", "hoplimit")
	n := 0
	if hops != nil {
		n, _ = number(hops.arg(1), 0, 255)
	}
	switch {
	case n > 0:
		t.Set(hops.at, "multihop", true)
		t.Set(hops.at, "max_hops", n)
		if ttl != nil {
			t.Set(ttl.at, "ttl", plain(ttl.arg(1)))
		}
	case ttl != nil && ttl.arg(1) != "255":
		c.report.Note(ttl.at, "%s: a session with a neighbour on the link has TTL 255 (RFC 5881), so that was left out", ttl.name())
	}
}
