package lvs

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ParseAddresses reads one or several addresses with their ports, in this order:
// every port of the first address, then every port of the next. The forms are
//
//	10.0.0.1:80                an address with a port; 0 is every port
//	10.0.0.1:80,443,8000-8010  an address with several ports
//	10.0.0.1-10.0.0.9:80       the addresses from one to another
//	[2001:db8::1]-[2001:db8::9]:80,443
//
// At most MaxKeys may result.
func ParseAddresses(s string) ([]netip.AddrPort, error) {
	hosts, portText, ok := cutPorts(s)
	if !ok {
		return nil, fmt.Errorf("%q has no port", s)
	}
	first, last, err := parseHosts(hosts)
	if err != nil {
		return nil, err
	}
	ports, err := parsePorts(portText)
	if err != nil {
		return nil, err
	}
	var list []netip.AddrPort
	for a := first; ; a = a.Next() {
		for _, p := range ports {
			list = append(list, netip.AddrPortFrom(a, p))
		}
		if len(list) > MaxKeys {
			return nil, fmt.Errorf("%q means more than %d addresses and ports: use a firewall mark for them", s, MaxKeys)
		}
		if a == last {
			return list, nil
		}
	}
}

// cutPorts cuts s at the colon before the ports.
func cutPorts(s string) (hosts, ports string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < strings.LastIndexByte(s, ']') || i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func parseHosts(s string) (first, last netip.Addr, err error) {
	from, to, several := strings.Cut(s, "-")
	if first, err = parseHost(from); err != nil || !several {
		return first, first, err
	}
	if last, err = parseHost(to); err != nil {
		return first, last, err
	}
	if first.Is6() != last.Is6() || last.Less(first) {
		return first, last, fmt.Errorf("%v does not come after %v", last, first)
	}
	return first, last, nil
}

func parseHost(s string) (netip.Addr, error) {
	inner, bracketed := strings.CutPrefix(s, "[")
	if bracketed {
		inner, bracketed = strings.CutSuffix(inner, "]")
	}
	a, err := netip.ParseAddr(inner)
	switch {
	case err != nil || bracketed != a.Is6():
		return a, fmt.Errorf("%q is not an IPv4 address, nor an IPv6 address in brackets", s)
	case a.Zone() != "" || a.Is4In6():
		return a, fmt.Errorf("%q must not have a zone, nor the form of an IPv4-mapped address", s)
	}
	return a, nil
}

func parsePorts(s string) ([]uint16, error) {
	var ports []uint16
	for part := range strings.SplitSeq(s, ",") {
		from, to, several := strings.Cut(part, "-")
		first, err := parsePort(from)
		last := first
		if several && err == nil {
			last, err = parsePort(to)
		}
		switch {
		case err != nil:
			return nil, err
		case several && (first == 0 || last < first):
			return nil, fmt.Errorf("%q is not a range of ports, like 8000-8010", part)
		}
		for p := int(first); p <= int(last); p++ {
			ports = append(ports, uint16(p))
		}
	}
	if len(ports) > MaxKeys {
		return nil, fmt.Errorf("%q means more than %d ports: use port 0 or a firewall mark for them", s, MaxKeys)
	}
	return ports, nil
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is not a port number", s)
	}
	return uint16(n), nil
}

// FormatAddresses returns list in as few texts as the forms of ParseAddresses
// allow. Parsing them one after the other gives list again, in the same order.
func FormatAddresses(list []netip.AddrPort) []string {
	type block struct {
		first, last netip.Addr
		ports       string
	}
	var blocks []block
	for len(list) > 0 {
		a := list[0].Addr()
		var ports []uint16
		for len(list) > 0 && list[0].Addr() == a {
			ports, list = append(ports, list[0].Port()), list[1:]
		}
		blocks = append(blocks, block{a, a, formatPorts(ports)})
	}
	var texts []string
	for len(blocks) > 0 {
		b, n := blocks[0], 1
		for n < len(blocks) && blocks[n].ports == b.ports && blocks[n].first == b.last.Next() {
			b.last = blocks[n].last
			n++
		}
		if n < 3 { // two are easier to read by themselves
			b, n = blocks[0], 1
		}
		hosts := formatHost(b.first)
		if b.last != b.first {
			hosts += "-" + formatHost(b.last)
		}
		texts, blocks = append(texts, hosts+":"+b.ports), blocks[n:]
	}
	return texts
}

func formatHost(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

func formatPorts(ports []uint16) string {
	var parts []string
	for len(ports) > 0 {
		n := 1
		for n < len(ports) && ports[0] != 0 && int(ports[n]) == int(ports[n-1])+1 {
			n++
		}
		if n < 3 {
			n = 1
		}
		part := strconv.Itoa(int(ports[0]))
		if n > 1 {
			part += "-" + strconv.Itoa(int(ports[n-1]))
		}
		parts, ports = append(parts, part), ports[n:]
	}
	return strings.Join(parts, ",")
}
