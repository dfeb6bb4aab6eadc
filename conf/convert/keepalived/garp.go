package keepalived

import (
	"time"

	"holdfast/conf/convert"
)

// A garp is how a MASTER announces its addresses.
type garp struct {
	repeat, refreshRepeat int
	delay, refresh        time.Duration
	interval4, interval6  time.Duration
	at                    map[string]convert.Position // of the keys that were given
	extra                 bool                        // refresh is that of garp_extra_if
}

// defaultGARP is what keepalived does by default.
func defaultGARP() garp {
	return garp{repeat: 5, refreshRepeat: 1, delay: 5 * time.Second, at: map[string]convert.Position{}}
}

// clone returns a copy, for an instance.
func (g garp) clone() garp {
	at := make(map[string]convert.Position, len(g.at))
	for k, v := range g.at {
		at[k] = v
	}
	g.at = at
	return g
}

// read reads the words of a block; before is what they begin with in global_defs.
func (g *garp) read(c *converter, body []*directive, before string) {
	if d := last(body, before+"min_garp"); d != nil {
		if on, ok := truth(d); ok && on {
			g.repeat, g.delay = 1, 0
			g.at["repeat"], g.at["delay"] = d.at, d.at
		}
	}
	count := func(word, key string, p *int) {
		if d := last(body, before+word); d != nil {
			n, ok := number(d.arg(1), 1, 100)
			if !ok {
				c.report.Person(d.at, "%s: holdfast announces 1 to 100 times, not %q", d.name(), d.arg(1))
				return
			}
			*p, g.at[key] = n, d.at
		}
	}
	length := func(word, key string, p *time.Duration) {
		if d := last(body, before+word); d != nil {
			v, ok := seconds(d.arg(1))
			if !ok {
				c.report.Person(d.at, "%s: %q is no time in seconds", d.name(), d.arg(1))
				return
			}
			*p, g.at[key] = v, d.at
		}
	}
	count("garp_master_repeat", "repeat", &g.repeat)
	count("garp_master_refresh_repeat", "refresh_repeat", &g.refreshRepeat)
	length("garp_master_delay", "delay", &g.delay)
	length("garp_master_refresh", "refresh", &g.refresh)
	length("garp_interval", "interval", &g.interval4)
	length("gna_interval", "interval", &g.interval6)
	g.readExtra(c, body, before)
}

// readExtra reads garp_extra_if, which announces on other interfaces at intervals. A
// refresh of holdfast announces on all of them.
func (g *garp) readExtra(c *converter, body []*directive, before string) {
	d := last(body, before+"garp_extra_if", before+"vmac_garp_intvl")
	if d == nil {
		return
	}
	v, ok := seconds(d.args[len(d.args)-1])
	if !ok {
		c.report.Person(d.at, "%s: %q is no time in seconds", d.name(), d.args[len(d.args)-1])
		return
	}
	if v > 0 && (g.refresh == 0 || v < g.refresh) {
		g.refresh, g.at["refresh"], g.extra = v, d.at, true
	}
}

// draft sets the keys that are not holdfast's defaults: keepalived refreshes nothing
// unless it is told to.
func (g *garp) draft(t *convert.Table, at convert.Position, six bool) {
	where := func(key string) convert.Position {
		if p, given := g.at[key]; given {
			return p
		}
		return at
	}
	t = t.Sub("garp", at)
	t.Set(where("repeat"), "repeat", g.repeat)
	t.Set(where("delay"), "delay", duration(g.delay))
	t.Set(where("refresh"), "refresh", duration(g.refresh))
	t.Set(where("refresh_repeat"), "refresh_repeat", g.refreshRepeat)
	interval := g.interval4
	if six {
		interval = g.interval6
	}
	if interval > 0 {
		t.Set(where("interval"), "interval", duration(interval))
	}
}

// A pace is the pause between announcements on an interface, of garp_group.
type pace struct {
	at     convert.Position
	v4, v6 time.Duration
}

// pause reads a time in seconds; without the directive it is 0.
func (c *converter) pause(d *directive) time.Duration {
	if d == nil {
		return 0
	}
	v, ok := seconds(d.arg(1))
	if !ok {
		c.report.Person(d.at, "%s: %q is no time in seconds", d.name(), d.arg(1))
	}
	return v
}

// readPaces reads garp_group and interface_up_down_delays.
func (c *converter) readPaces() {
	for _, d := range c.named("garp_group") {
		p := &pace{at: d.at}
		p.v4, p.v6 = c.pause(last(d.body, "garp_interval")), c.pause(last(d.body, "gna_interval"))
		for _, k := range all(d.body, "interface", "interfaces") {
			for _, name := range k.args[1:] {
				c.garpPace[name] = p
			}
			for _, line := range k.body {
				for _, name := range line.args {
					c.garpPace[name] = p
				}
			}
		}
	}
	c.linkDelay = map[string]*directive{}
	for _, d := range c.named("interface_up_down_delays") {
		for _, line := range d.body {
			c.linkDelay[line.name()] = line
		}
	}
}
