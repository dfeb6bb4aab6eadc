package ldirectord

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"holdfast/conf/convert"
)

// Convert converts the files, each as ldirectord would read it.
func Convert(in convert.Input, report *convert.Report) *convert.Result {
	c := &converter{in: in, report: report, said: map[string]bool{}, names: map[string]bool{}}
	for _, f := range in.Files {
		c.globals, c.virtuals = *newGlobals(), nil
		parsed := parse(f, report)
		c.draft.Head(parsed.head...)
		for _, l := range parsed.globals {
			c.global(&c.globals, l)
		}
		for i := range parsed.blocks {
			if v := c.readVirtual(&parsed.blocks[i]); v != nil {
				c.virtuals = append(c.virtuals, v)
				c.service(v)
			}
		}
		c.lvs()
	}
	if len(c.names) > 0 {
		c.remarks()
	}
	return c.draft.Finish(report)
}

// A converter converts one or more files.
type converter struct {
	in      convert.Input
	report  *convert.Report
	draft   convert.Draft
	globals globals // of the present file
	// virtuals are the services of the present file.
	virtuals []*virtual
	said     map[string]bool // notes that are made once
	names    map[string]bool // of services
	at       convert.Position
}

// once makes a note once in a conversion.
func (c *converter) once(what string, at convert.Position, text string) {
	if !c.said[what] {
		c.said[what] = true
		c.report.Note(at, "%s", text)
	}
}

// secret returns the path of the file for a secret.
func (c *converter) secret(at convert.Position, service, kind, secret string) string {
	c.once("secret "+service+kind, at, "the password goes to a file of its own, of mode 600")
	return c.draft.Secret(c.in.Dir, service, kind, secret)
}

// remarks notes what every conversion lacks.
func (c *converter) remarks() {
	c.report.Note(c.at, "ldirectord does not hold the addresses of its services: add [[vrrp]] with them, or leave that to what holds them now")
	c.report.Note(c.at, "ldirectord checks one server after the other; holdfast checks all at the same time, each once in its interval")
}

// service writes one [[service]].
func (c *converter) service(v *virtual) {
	if len(c.names) == 0 {
		c.at = v.at
	}
	if v.service == "" {
		v.service = serviceOf(v.address.Port())
	}
	t := c.draft.List("service", v.at)
	t.Set(v.at, "name", c.name(v))
	t.Comment("", v.comments...)
	if v.comment != "" {
		t.Comment("", v.comment)
	}
	c.key(v, t)
	c.scheduling(v, t)
	forward := v.commonForward()
	t.Set(v.at, "forward", forward)
	if c.quiescent(v) {
		t.Set(v.position("quiescent"), "on_down", "quiesce")
	}
	c.fallback(v, t)
	c.check(v, request{v.request, v.receive}, t.Sub("check", v.at))
	for i := range v.reals {
		if v.checkType == "off" && !c.quiescent(v) {
			c.report.Note(v.reals[i].at, "checktype=off without quiescent: ldirectord never puts the server in the table, so the file does not have it")
			continue
		}
		c.server(v, &v.reals[i], forward, t)
	}
	if len(v.reals) == 0 {
		c.report.Note(v.at, "the service has no servers")
	}
	c.alert(v)
}

// quiescent reports whether a server that is not well stays in the table with weight 0.
func (c *converter) quiescent(v *virtual) bool {
	if v.quiescent != nil {
		return *v.quiescent
	}
	return c.globals.quiescent
}

// name returns a name for a service that no other has.
func (c *converter) name(v *virtual) string {
	base := cleanName(v.name)
	if base == "" && v.mark != "" {
		base = "mark-" + v.mark
	}
	if base == "" {
		base = strings.NewReplacer("[", "", "]", "").Replace(v.address.String()) + "-" + v.protocol
	}
	name := base
	for n := 2; c.names[name]; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	c.names[name] = true
	v.name = name
	return name
}

// cleanName keeps of a servicename what a name may have.
func cleanName(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, s), "-")
}

// key writes the address or the mark.
func (c *converter) key(v *virtual, t *convert.Table) {
	if v.mark != "" {
		n, err := strconv.ParseUint(v.mark, 10, 32)
		if err != nil || n == 0 {
			refused(c.report, v.at, "%s is no firewall mark", v.mark)
		}
		t.Set(v.at, "mark", int(n))
		if v.ipv6 {
			t.Set(v.at, "family", "ipv6")
		}
		return
	}
	t.Set(v.at, "address", v.address.String())
	t.Set(v.position("protocol"), "protocol", v.protocol)
}

func (c *converter) scheduling(v *virtual, t *convert.Table) {
	t.Set(v.position("scheduler"), "scheduler", v.scheduler)
	if v.flags != "" && v.flags != "-" {
		t.Set(v.position("schedflags"), "scheduler_flags", strings.Split(v.flags, ","))
	}
	if v.onePacket && v.protocol == "udp" {
		t.Set(v.position("ops"), "one_packet", true)
	}
	if v.persistent == "" || v.persistent == "0" {
		if v.netmask != "" {
			c.report.Note(v.position("netmask"), "netmask has no effect without persistent")
		}
		return
	}
	t.Set(v.position("persistent"), "persistence", v.persistent+"s")
	if n, ok := prefix(v.netmask); ok {
		t.Set(v.position("netmask"), "persistence_prefix", n)
	} else if v.netmask != "" {
		refused(c.report, v.position("netmask"), "%q is no netmask", v.netmask)
	}
}

// prefix returns the length of a netmask, which IPv6 has as a number.
func prefix(mask string) (int, bool) {
	if n, err := strconv.Atoi(mask); err == nil {
		return n, true
	}
	a, err := netip.ParseAddr(mask)
	if err != nil || !a.Is4() {
		return 0, false
	}
	bits, size := net.IPMask(a.AsSlice()).Size()
	return bits, size != 0
}

// commonForward returns the forwarding method that most servers have.
func (v *virtual) commonForward() string {
	counts := map[string]int{}
	best := "nat"
	for _, r := range v.reals {
		counts[r.forward]++
		if counts[r.forward] > counts[best] {
			best = r.forward
		}
	}
	return best
}

func (c *converter) fallback(v *virtual, t *convert.Table) {
	f, at := v.fallback, v.position("fallback")
	if f == nil {
		f = c.globals.fallback[v.ipv6]
		if f != nil && v.mark != "" {
			// ldirectord keeps the one at the top for the protocols tcp and udp alone. For a
			// mark it calls ipvsadm with a server that has no address, which fails.
			c.report.Note(v.at, "the fallback at the top of the file has no effect on a firewall mark: a fallback of the service itself was probably meant")
			f = nil
		}
	}
	if f != nil {
		port := firstText(f.port, v.portText())
		if n, ok := c.port(at, port, strings.Replace(v.protocol, "fwm", "tcp", 1)); ok {
			n = c.samePort(v, at, f.forward, n)
			t.Set(at, "fallback", netip.AddrPortFrom(f.address, n).String())
			t.Set(at, "fallback_forward", f.forward)
		}
	}
	if command := firstText(v.fallbackCommand, c.globals.fallbackCommand); command != "" {
		t.Sub("notify", v.position("fallbackcommand")).Set(v.position("fallbackcommand"), "fallback", command)
		c.once("fallbackcommand", v.position("fallbackcommand"), "the fallback command gets start or stop as its first argument, as before; the address and the protocol that ldirectord adds are in its environment")
	}
}

// samePort returns the port that a server has in the kernel. gate and ipip change no
// port, and ipvsadm puts that of the service in the place of another.
func (c *converter) samePort(v *virtual, at convert.Position, forward string, port uint16) uint16 {
	if v.mark != "" || forward == "nat" || port == v.address.Port() {
		return port
	}
	c.report.Note(at, "ipvsadm replaces the port %d by %d, that of the service, because gate and ipip change no port", port, v.address.Port())
	return v.address.Port()
}

// server writes one [[service.server]].
func (c *converter) server(v *virtual, r *real, forward string, t *convert.Table) {
	s := t.List("server", r.at)
	s.Set(r.at, "address", netip.AddrPortFrom(r.address.Addr(), c.samePort(v, r.at, r.forward, r.address.Port())).String())
	switch {
	case v.checkType == "off":
		s.Set(r.at, "weight", 0)
	default:
		n, err := strconv.Atoi(r.weight)
		if err != nil {
			n = 1
		}
		s.Set(r.at, "weight", n)
	}
	if r.forward != forward {
		s.Set(r.at, "forward", r.forward)
	}
	if r.upper != "" {
		s.Set(r.at, "upper_threshold", numberOf(r.upper))
	}
	if r.lower != "" {
		s.Set(r.at, "lower_threshold", numberOf(r.lower))
	}
	if r.request != nil && services[v.service] != nil && (v.checkType == "negotiate" || v.checkType == "combined") {
		own := *v
		own.positions = map[string]convert.Position{"request": r.at, "receive": r.at, "service": r.at}
		check := s.Sub("check", r.at)
		services[v.service].translate(c, &own, *r.request, check)
	}
}

func numberOf(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// keeps reports whether the services are kept at a stop, and where the file says so. There
// is one answer for all of them.
func (c *converter) keeps() (keep bool, at convert.Position) {
	keep, at = c.globals.keep, c.globals.at["cleanstop"]
	for i, v := range c.virtuals {
		own := c.globals.keep
		if v.keep != nil {
			own = *v.keep
		}
		switch {
		case i == 0:
			keep = own
			if v.keep != nil {
				at = v.position("cleanstop")
			}
		case own != keep:
			c.report.Person(v.position("cleanstop"), "cleanstop: holdfast has one on_stop, for all services; the result has that of the first")
			return keep, at
		}
	}
	return keep, at
}

// lvs writes what concerns the whole table.
func (c *converter) lvs() {
	keep, at := c.keeps()
	if keep {
		c.draft.Section("lvs", at).Set(at, "on_stop", "keep")
	}
	if dir := c.globals.maintenance; dir != "" {
		at := c.globals.at["maintenancedir"]
		c.draft.Section("lvs", at).Set(at, "maintenance_dir", dir)
	}
}
