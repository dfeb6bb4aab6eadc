package mon

import (
	"cmp"
	"net"
	"net/netip"
	"strconv"
	"time"

	"holdfast/conf/convert"
	"holdfast/conf/crypthash"
)

// takesTraps reports whether a service only waits for traps: mon never runs a monitor
// for it.
func takesTraps(s *service) bool {
	_, monitor := s.has("monitor")
	_, interval := s.has("interval")
	return !monitor || !interval
}

// traps writes [mon_traps] if a host may send traps.
func (c *converter) traps() {
	var t *convert.Table
	anyHost := c.has(func(s trapSender) bool { return s.host == "*" })
	for _, s := range c.senders {
		anyUser := c.has(func(o trapSender) bool { return o.host == s.host && o.user == "*" })
		switch {
		case anyHost && s.host != "*":
			c.report.Note(s.at, "a line with the host * makes mon ignore the lines of hosts")
		case anyUser && s.user != "*":
			c.report.Note(s.at, "a line of this host with the user * makes mon ignore its lines with users")
		default:
			from, ok := c.admits(s)
			if ok && t == nil {
				t = c.draft.Section("mon_traps", s.at)
				t.Set(c.globals.trapBind.at, "listen", []string{net.JoinHostPort(c.trapAddress(), cmp.Or(c.globals.trapPort.text, "2583"))})
			}
			if ok {
				c.sender(t, s, from)
			}
		}
	}
}

func (c *converter) has(is func(trapSender) bool) bool {
	for _, s := range c.senders {
		if is(s) {
			return true
		}
	}
	return false
}

// admits returns the network of a sender. ok is false, and the report says why, if no trap
// of it can be let in.
func (c *converter) admits(s trapSender) (from string, ok bool) {
	from = "0.0.0.0/0"
	if s.host != "*" {
		a, ok := c.address(s.at, s.host)
		if !ok {
			return "", false
		}
		from = a.String()
	}
	if s.user != "*" && crypthash.Check(s.hash) != nil {
		c.report.Person(s.at, "what stands for the password is no hash that holdfast can check: no trap of this sender is let in. Put the hash that \"openssl passwd -6\" prints into a hash_file of [[mon_traps.sender]]")
		return "", false
	}
	return from, true
}

// sender writes a [[mon_traps.sender]].
func (c *converter) sender(t *convert.Table, s trapSender, from string) {
	sender := t.List("sender", s.at)
	sender.Set(s.at, "from", []string{from})
	if s.user != "*" {
		sender.Set(s.at, "user", s.user)
		sender.Set(s.at, "hash_file", c.draft.Secret(c.in.Dir, "trap", "hash", s.hash))
	}
}

// address returns the address of a host. mon resolves names when it reads the file.
func (c *converter) address(at convert.Position, host string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(host); err == nil {
		return a, true
	}
	if c.in.Lookup != nil {
		all, err := c.in.Lookup(host)
		for _, a := range all {
			if a = a.Unmap(); err == nil && a.Is4() {
				c.report.Note(at, "the host is %v now; holdfast does not follow its name", a)
				return a, true
			}
		}
	}
	c.report.Person(at, "the host is given by name, and has no IPv4 address here: holdfast needs one")
	return netip.Addr{}, false
}

// trapAddress returns where mon receives traps.
func (c *converter) trapAddress() string {
	if c.globals.trapBind.text != "" {
		if a, ok := c.address(c.globals.trapBind.at, c.globals.trapBind.text); ok {
			return a.String()
		}
	}
	return "0.0.0.0"
}

// trapService writes a [[service]] that waits for traps.
func (c *converter) trapService(s *service) {
	_, monitor := s.has("monitor")
	_, interval := s.has("interval")
	switch {
	case interval:
		c.report.Note(s.at, "service %s has no monitor: mon runs none, and only waits for traps", s.title())
	case monitor:
		c.report.Note(s.at, "service %s has no interval: mon never runs its monitor, and only waits for traps", s.title())
	}
	hosts, _ := c.hosts(s)
	if len(hosts) == 0 {
		hosts = []string{s.group}
	}
	t := c.serviceTable(s, hosts)
	check := t.Sub("check", s.at)
	c.trapCheck(s, check)
	if env := c.environment(s); len(env) > 0 {
		check.Set(s.at, "environment", env)
	}
	for _, host := range hosts {
		t.List("server", c.groups[s.group].at).Set(c.groups[s.group].at, "name", host)
	}
	c.sayDepends(s)
	c.alerts(s)
}

// trapCheck writes the keys of a check of type trap.
func (c *converter) trapCheck(s *service, check *convert.Table) {
	check.Set(s.at, "type", "trap")
	for _, key := range []struct{ mon, key string }{{"traptimeout", "silence"}, {"trapduration", "lasts"}} {
		v, ok := s.has(key.mon)
		if !ok {
			continue
		}
		if d, ok := duration(v.text); ok {
			check.Set(v.at, key.key, durationText(max(d, time.Second)))
		} else {
			c.broken(v.at, "%s needs a number with s, m, h or d, and no comment behind it", key.mon)
		}
	}
	if len(c.senders) == 0 {
		c.once(s.at, "mon lets no trap in without a trap section in auth.cf, and neither does the result: give auth.cf to convert too")
	}
}

// port reads the value of trapport.
func port(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}
