package ldirectord

import (
	"net/netip"
	"strings"

	"holdfast/conf"
	"holdfast/conf/convert"
)

// A real is a realserver.
type real struct {
	at      convert.Position
	address netip.AddrPort
	forward string // nat, dr or tun
	weight  string
	request *request // its own; nil: that of the virtual service
	lower   string
	upper   string
}

// A request is what a check asks and expects.
type request struct{ ask, expect string }

// A fallback is the server that serves while no other does.
type fallback struct {
	address netip.Addr
	port    string // "": that of the virtual service
	forward string
}

var forwards = map[string]string{"gate": "dr", "masq": "nat", "ipip": "tun"}

var (
	realValue = convert.Pattern(`(\d+\.\d+\.\d+\.\d+|[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?:->(\d+\.\d+\.\d+\.\d+|[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]))?(?::(\d+|[A-Za-z0-9_-]+))?\s+(.*)`)
	firstWord = convert.Pattern(`(\w+)(.*)`)
	weight    = convert.Pattern(`\s+(\d+)(.*)`)
	requests  = convert.Pattern(`\s+"(.*)"[, ]\s*"(.*)"(.*)`)
	lower     = convert.Pattern(`\s+l:(\d+)(.*)`)
	upper     = convert.Pattern(`\s+u:(\d+)(.*)`)
	fallbacks = convert.Pattern(`(\S+)(?:\s+(\S+))?\s*$`)
	portPart  = convert.Pattern(`:(\d+|[A-Za-z0-9_-]+)$`)
)

// maxRange bounds the servers of one line.
const maxRange = 4096

// parseReals reads the value of real=, which may be a range of servers.
func (c *converter) parseReals(l line, value string, ipv6 bool) []real {
	m := realValue().FindStringSubmatch(value)
	if m == nil {
		refused(c.report, l.at, "real= needs an address and a forwarding method")
		return nil
	}
	first, ok := c.host(l.at, m[1], ipv6)
	if !ok {
		return nil
	}
	last := first
	if m[2] != "" {
		if last, ok = c.host(l.at, m[2], ipv6); !ok {
			return nil
		}
	}
	port := uint16(0)
	if m[3] != "" {
		if port, ok = c.port(l.at, m[3], "tcp"); !ok {
			return nil
		}
	}
	like, ok := c.flags(l, m[4])
	switch {
	case !ok:
		return nil
	case ipv6 && m[2] != "":
		refused(c.report, l.at, "it has no ranges of IPv6 addresses")
		return nil
	case last.Less(first):
		refused(c.report, l.at, "the range ends before it begins")
		return nil
	}
	var all []real
	for a := first; !last.Less(a); a = a.Next() {
		if len(all) == maxRange {
			c.report.Person(l.at, "the range has more than %d servers; the others are left out", maxRange)
			break
		}
		r := like
		r.address = netip.AddrPortFrom(a, port)
		all = append(all, r)
	}
	return all
}

// flags reads what follows the address of a server.
func (c *converter) flags(l line, flags string) (real, bool) {
	m := firstWord().FindStringSubmatch(flags)
	if m == nil || forwards[m[1]] == "" {
		refused(c.report, l.at, "the forwarding method must be gate, masq or ipip")
		return real{}, false
	}
	r := real{at: l.at, forward: forwards[m[1]], weight: "1"}
	rest := m[2]
	if m := weight().FindStringSubmatch(rest); m != nil {
		r.weight, rest = m[1], m[2]
	}
	if m := requests().FindStringSubmatch(rest); m != nil {
		if strings.HasPrefix(m[1], "/") {
			// The test for the slash is a match of its own in ldirectord, which empties
			// what the match before has found.
			c.report.Note(l.at, "ldirectord drops a request that begins with a slash, with its answer and the thresholds behind it: it asks what the virtual service says; %s was probably meant", describeRequest(m[1], m[2]))
			return r, true
		}
		r.request, rest = &request{"/" + m[1], m[2]}, m[3]
	}
	if m := lower().FindStringSubmatch(rest); m != nil {
		r.lower, rest = m[1], m[2]
	}
	if m := upper().FindStringSubmatch(rest); m != nil {
		r.upper, rest = m[1], m[2]
	}
	if strings.TrimSpace(rest) != "" {
		refused(c.report, l.at, "it does not understand %q", strings.TrimSpace(rest))
		return real{}, false
	}
	return r, true
}

func describeRequest(ask, expect string) string {
	if expect == "" {
		return "path = " + conf.Quote(ask)
	}
	return "path = " + conf.Quote(ask) + " and body = " + conf.Quote(expect)
}

// parseFallback reads the value of fallback=. Without a forwarding method it is gate,
// whatever the servers have.
func (c *converter) parseFallback(l line, value string, ipv6 bool) *fallback {
	m := fallbacks().FindStringSubmatch(value)
	if m == nil {
		refused(c.report, l.at, "it is no server")
		return nil
	}
	f := &fallback{forward: "dr"}
	if m[2] != "" {
		if f.forward = forwards[m[2]]; f.forward == "" {
			refused(c.report, l.at, "the forwarding method must be gate, masq or ipip")
			return nil
		}
	}
	host := m[1]
	if m := portPart().FindStringSubmatchIndex(host); m != nil && (!strings.Contains(host, "::") || strings.HasPrefix(host, "[")) {
		f.port, host = host[m[2]:m[3]], host[:m[0]]
	}
	if strings.HasPrefix(host, "/") {
		refused(c.report, l.at, "it takes %s for the name of a host; a program belongs in fallbackcommand=", host)
		return nil
	}
	var ok bool
	if f.address, ok = c.host(l.at, host, ipv6); !ok {
		return nil
	}
	return f
}
