package heartbeat

import (
	"net/netip"
	"strconv"
	"strings"

	"holdfast/conf/convert"
)

// A group is a line of haresources: a node with the resources that it prefers to have.
type group struct {
	at        convert.Position
	node      string
	addresses []address
	others    []resource
}

// An address is a service address of a group.
type address struct {
	prefix    netip.Prefix
	noLength  bool   // heartbeat took the length from the route
	iface     string // "": heartbeat took it from the route
	broadcast string
}

// resources reads a line of haresources.
func (c *converter) resources(l line) {
	g := group{at: l.at, node: l.words[0]}
	for _, word := range l.words[1:] {
		script, arguments, _ := strings.Cut(word, "::")
		switch {
		case script == "IPaddr" || script == "IPaddr2" || script == "IPv6addr":
			c.address(&g, arguments)
		case script == word && looksLikeAddress(word):
			c.address(&g, word)
		default:
			r := resource{script: script, before: len(g.addresses) == 0}
			if arguments != "" {
				r.arguments = strings.Split(arguments, "::")
			}
			g.others = append(g.others, r)
		}
	}
	c.groups = append(c.groups, g)
}

func looksLikeAddress(word string) bool {
	host, _, _ := strings.Cut(word, "/")
	_, err := netip.ParseAddr(host)
	return err == nil
}

// address reads ADDRESS[/LENGTH[/INTERFACE][/BROADCAST]].
func (c *converter) address(g *group, text string) {
	more := false
	if host, _, _ := strings.Cut(text, "/"); strings.Contains(host, "::") && looksLikeAddress(host) {
		c.report.Note(g.at, "heartbeat splits %s at :: and cannot bring it: the result has the address that was meant", host)
	} else {
		text, _, more = strings.Cut(text, "::")
	}
	parts := strings.Split(text, "/")
	ip, err := netip.ParseAddr(parts[0])
	if err != nil {
		c.report.Person(g.at, "%q is no address", text)
		return
	}
	a := address{noLength: true}
	bits := ip.BitLen()
	for i, part := range parts[1:] {
		n, err := strconv.Atoi(part)
		switch {
		case part == "":
			c.report.Note(g.at, "%s has an empty part between two slashes, which heartbeat ignores", text)
		case i == 0 && err == nil && n <= ip.BitLen():
			bits, a.noLength = n, false
		case looksLikeAddress(part):
			a.broadcast = part
		default:
			a.iface, _, _ = strings.Cut(part, ":") // eth0:1 is an alias of eth0
		}
	}
	if more {
		c.report.Note(g.at, "the resource of %v has more arguments, which are for the script only", ip)
	}
	a.prefix = netip.PrefixFrom(ip, bits)
	if a.broadcast == "" && ip.Is4() && bits < 31 {
		a.broadcast = "auto" // both IPaddr and IPaddr2 compute one
	}
	g.addresses = append(g.addresses, a)
}
