package keepalived

import (
	"net/netip"
	"strings"

	"holdfast/conf/convert"
)

// A vip is one line of virtual_ipaddress or virtual_ipaddress_excluded.
type vip struct {
	netip.Prefix
	at       convert.Position
	comments []string
	value    any // for the key addresses
}

func (c *converter) readAddresses(in *instance) {
	none := in.word("no_virtual_ipaddress")
	for _, d := range all(in.body, "virtual_ipaddress") {
		in.addresses = append(in.addresses, c.readBlock(in, d)...)
	}
	for _, d := range all(in.body, "virtual_ipaddress_excluded") {
		in.excluded = append(in.excluded, c.readBlock(in, d)...)
	}
	in.six = familyOf(in.addresses)
	kept := in.addresses[:0]
	for _, v := range in.addresses {
		if v.Addr().Is6() == in.six {
			kept = append(kept, v)
			continue
		}
		c.report.Person(v.at, "%v has another family than the first address: keepalived ignores it; write it into excluded_addresses if it is needed", v.Prefix)
	}
	in.addresses = unique(kept, nil, func(v vip) {
		c.report.Person(v.at, "%v is there twice: keepalived has it once and counts it twice in its adverts, and a keepalived on the other director drops adverts with another number of addresses, so that both are MASTER: remove this line there before holdfast runs beside it", v.Addr())
	})
	in.excluded = unique(in.excluded, in.addresses, func(v vip) {
		c.report.Note(v.at, "%v is there twice: keepalived ignores the second one", v.Addr())
	})
	for _, v := range in.excluded {
		if in.vmac && v.Addr().Is6() != in.six {
			c.report.Note(v.at, "%v has another family than the adverts: keepalived adds it to the interface, holdfast to the device of the virtual MAC", v.Addr())
		}
	}
	in.bare = len(in.addresses)+len(in.excluded) == 0
	if in.bare && none == nil {
		c.report.Note(in.d.at, "the instance has no addresses: holdfast elects a MASTER and changes no device")
	}
}

// unique leaves out addresses that are there already, and reports them.
func unique(list, others []vip, report func(vip)) []vip {
	seen := map[netip.Addr]bool{}
	for _, v := range others {
		seen[v.Addr()] = true
	}
	var kept []vip
	for _, v := range list {
		if seen[v.Addr()] {
			report(v)
			continue
		}
		seen[v.Addr()] = true
		kept = append(kept, v)
	}
	return kept
}

// readBlock reads the lines of a block of addresses: one address a line.
func (c *converter) readBlock(in *instance, d *directive) []vip {
	var list []vip
	for _, line := range d.body {
		p, ok := prefix(line.name())
		if !ok {
			c.report.Person(line.at, "%q is no address: keepalived ignores the line", line.name())
			continue
		}
		if p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() && !strings.Contains(line.name(), "/") {
			c.report.Note(line.at, "%v: keepalived adds it as /128; holdfast adds a link-local address as /64, so that it can answer", p.Addr())
		}
		v := vip{Prefix: p, at: line.at, comments: line.comments}
		v.value = c.addressValue(in, line, p)
		list = append(list, v)
	}
	return list
}

// addressValue returns an address with what the line says about it.
func (c *converter) addressValue(in *instance, line *directive, p netip.Prefix) any {
	text := p.String()
	if isHost(p) && p.Addr().Is4() || !strings.Contains(line.name(), "/") {
		text = p.Addr().String()
	}
	t := convert.Inline{{Key: "address", Value: text}}
	put := func(key string, value any) { t = append(t, convert.Pair{Key: key, Value: value}) }
	preferred := p.Addr().Is6() && !isHost(p) && !p.Addr().IsLinkLocalUnicast()
	for args := line.args[1:]; len(args) > 0; {
		word, value := args[0], ""
		if len(args) > 1 {
			value = args[1]
		}
		taken := 2
		switch word {
		case "dev":
			if value != in.iface && value != "" {
				put("interface", value)
			}
		case "label":
			put("label", value)
		case "scope":
			if value != "global" && value != "0" {
				put("scope", value)
			}
		case "brd", "broadcast":
			c.putBroadcast(line, p, value, put)
		case "preferred_lft":
			preferred = value != "0" && p.Addr().Is6()
		case "noprefixroute":
			taken = 1
			if !isHost(p) {
				put("prefix_route", false)
			}
		case "no_track":
			taken = 1
			c.report.Note(line.at, "no_track: holdfast puts back an address that somebody deletes")
		case "use_vmac":
			taken = 1
			if !in.vmac {
				c.report.Person(line.at, "use_vmac of an address without use_vmac of the instance: holdfast has either a virtual MAC on all interfaces of an instance, or on none")
			}
		case "-nodad", "home", "mngtmpaddr", "autojoin":
			taken = 1
			c.report.Person(line.at, "holdfast does not know the flag %s of an address: leave it out", word)
		case "peer":
			c.report.Person(line.at, "holdfast does not know addresses with a peer (%s): use another address", value)
		default:
			taken = 1
			c.report.Person(line.at, "keepalived does not understand %q and ignores it%s", word, secondAddress(word))
		}
		args = args[min(taken, len(args)):]
	}
	if preferred {
		put("preferred", true)
	}
	if len(t) == 1 {
		return text
	}
	return t
}

func secondAddress(word string) string {
	if _, ok := prefix(word); ok {
		return ": it takes one address a line, so this is no virtual address"
	}
	return ""
}

func (c *converter) putBroadcast(line *directive, p netip.Prefix, value string, put func(string, any)) {
	switch {
	case p.Addr().Is6():
		c.report.Person(line.at, "an IPv6 address has no broadcast address: keepalived ignores it")
	case value == "+" && p.Bits() > 30:
		c.report.Note(line.at, "a subnet as small as %v has no broadcast address: keepalived ignores it", p)
	case value == "+":
		put("broadcast", "auto")
	case value == "-":
		put("broadcast", p.Masked().Addr().String())
	default:
		put("broadcast", value)
	}
}

// draftAddresses sets the addresses.
func (c *converter) draftAddresses(t *convert.Table, in *instance) {
	set := func(key, word string, list []vip) {
		values := make([]any, len(list))
		for i, v := range list {
			values[i] = v.value
		}
		d := in.word(word)
		t.Set(position(in.d, d), key, values)
		t.Comment(key, comments(d)...)
		for _, v := range list {
			t.Comment(key, named(v.Addr().String(), v.comments)...)
		}
	}
	set("addresses", "virtual_ipaddress", in.addresses)
	if len(in.excluded) > 0 {
		set("excluded_addresses", "virtual_ipaddress_excluded", in.excluded)
	}
}
