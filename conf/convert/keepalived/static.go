package keepalived

import (
	"fmt"
	"slices"
	"strings"
)

// standing makes what the host is to have of a line of static_ipaddress, static_routes or
// static_rules, by the name of the block.
var standing = map[string]func(args []string) *hostSetting{
	"static_ipaddress": standingAddress, "static_routes": standingRoute, "static_rules": standingRule,
}

// A hostSetting is an address, a route or a rule that the host has for good: as a command
// of iproute2, and as lines of a .network file of systemd-networkd.
type hostSetting struct {
	command []string
	six     bool
	section string
	lines   []string
	device  string
	foreign bool // systemd-networkd has no word for a part of it
	ignored string
}

// advice says what a person does with a line of such a block.
func advice(block string, line *directive, text string) string {
	made, known := standing[block]
	if !known {
		return text
	}
	s := made(line.args)
	if s.ignored != "" {
		return s.ignored
	}
	family := ""
	if s.six {
		family = "-6 "
	}
	networkd := ""
	if !s.foreign {
		networkd = fmt.Sprintf("; systemd-networkd: [%s] with %s", s.section, strings.Join(s.lines, " "))
		if s.device != "" {
			networkd += " for " + s.device
		}
	}
	return fmt.Sprintf(`holdfast brings only what moves: run "ip %s%s" now and at each boot (ifupdown: up%s)`, family, strings.Join(s.command, " "), networkd)
}

// add adds words of the command, and a line of systemd-networkd unless key is empty.
func (s *hostSetting) add(key, value string, words ...string) {
	s.command = append(s.command, words...)
	if key == "" {
		s.foreign = true
		return
	}
	s.lines = append(s.lines, key+"="+value)
}

// standingAddress reads "ADDRESS dev eth0 scope link"; keepalived takes eth0 without dev.
func standingAddress(args []string) *hostSetting {
	p, ok := prefix(args[0])
	if !ok {
		return &hostSetting{ignored: fmt.Sprintf("%q is no address: keepalived ignores the line", args[0])}
	}
	s := &hostSetting{section: "Address", device: "eth0", six: p.Addr().Is6()}
	s.add("Address", p.String(), "address", "add", p.String())
	for words := args[1:]; len(words) > 0; {
		value, taken := valueOf(words), 2
		switch word := words[0]; word {
		case "dev":
			s.device = value
		case "scope":
			s.add("Scope", value, word, value)
		case "label":
			s.add("Label", value, word, value)
		case "peer":
			s.add("Peer", value, word, value)
		case "brd", "broadcast":
			s.add("Broadcast", map[bool]string{true: "yes", false: value}[value == "+"], word, value)
		case "track_group":
		default:
			taken = 1
		}
		words = words[min(taken, len(words)):]
	}
	s.command = append(s.command, "dev", s.device)
	return s
}

func valueOf(words []string) string {
	if len(words) > 1 {
		return words[1]
	}
	return ""
}

// routeKeys are the words of systemd-networkd for those of a route; of the values that
// are words of ip too, each is what ip calls it.
var routeKeys = map[string]string{
	"src": "PreferredSource", "scope": "Scope", "table": "Table", "metric": "Metric", "mtu": "MTUBytes", "tos": "TypeOfService",
	"initcwnd": "InitialCongestionWindow", "initrwnd": "InitialAdvertisedReceiveWindow", "congctl": "TCPCongestionControlAlgorithm",
	"advmss": "TCPAdvertisedMaximumSegmentSize", "hoplimit": "HopLimit", "pref": "IPv6Preference",
}

// standingRoute reads a line of static_routes.
func standingRoute(args []string) *hostSetting {
	to, words := destination(args)
	if to == "" {
		return &hostSetting{ignored: "the route has no destination: keepalived ignores it"}
	}
	r := &standingRouteLine{hostSetting: hostSetting{section: "Route", six: strings.Contains(to, ":") || slices.Contains(args, "default6")}}
	r.command = []string{"route", "add"}
	for len(words) > 0 {
		words = words[min(r.word(words), len(words)):]
	}
	kind := ""
	if r.kind != "" {
		kind = r.kind + " "
		r.lines = append(r.lines, "Type="+r.kind)
	}
	r.command = slices.Insert(r.command, 2, strings.Fields(kind+to)...)
	whole := network(to)
	if to == everywhere {
		whole = map[bool]string{true: "::/0", false: "0.0.0.0/0"}[r.six]
	}
	r.lines = slices.Insert(r.lines, 0, "Destination="+whole)
	r.ways()
	return &r.hostSetting
}

// A standingRouteLine is a line of static_routes while it is read.
type standingRouteLine struct {
	hostSetting
	kind  string
	via   []string
	scope bool
}

// word reads one word with its arguments, and returns how many words these are.
func (r *standingRouteLine) word(words []string) int {
	value := valueOf(words)
	switch word := words[0]; {
	case slices.Contains(routeTypes, word):
		if word != "unicast" {
			r.kind = word
		}
		return 1
	case word == "dev":
		r.device = value
	case word == "via" || word == "gw" || word == "or":
		r.via = append(r.via, gateway(value))
	case word == "src":
		r.add(routeKeys[word], gateway(value), word, gateway(value))
	case word == "onlink":
		r.add("GatewayOnLink", "yes", word)
		return 1
	case word == "track_group":
	case slices.Contains([]string{"no_track", "add", "append", "prepend", "inet", "inet6"}, word):
		return 1
	case word == "nexthop" || word == "encap": // to the end, in the words of ip
		r.foreign = true
		r.command = append(r.command, words...)
		return len(words)
	default:
		r.scope = r.scope || word == "scope"
		r.add(routeKeys[word], value, word, value)
	}
	return 2
}

// ways adds the gateways and the device.
func (r *standingRouteLine) ways() {
	dev := []string{}
	if r.device != "" {
		dev = []string{"dev", r.device}
	}
	switch len(r.via) {
	case 0:
		r.command = append(r.command, dev...)
		if !r.scope && !r.six && r.kind == "" && !r.foreign { // ip would take link
			r.add("Scope", "global", "scope", "global")
		}
	case 1:
		r.add("Gateway", r.via[0], append([]string{"via", r.via[0]}, dev...)...)
	default:
		for _, via := range r.via {
			r.add("MultiPathRoute", via, append([]string{"nexthop", "via", via}, dev...)...)
		}
	}
}

// ruleKeys are the words of ip and of systemd-networkd for those of a rule.
var ruleKeys = map[string][2]string{
	"from": {"from", "From"}, "to": {"to", "To"}, "table": {"table", "Table"}, "lookup": {"table", "Table"},
	"iif": {"iif", "IncomingInterface"}, "dev": {"iif", "IncomingInterface"}, "oif": {"oif", "OutgoingInterface"},
	"tos": {"tos", "TypeOfService"}, "dsfield": {"tos", "TypeOfService"}, "fwmark": {"fwmark", "FirewallMark"},
	"preference": {"preference", "Priority"}, "priority": {"preference", "Priority"}, "order": {"preference", "Priority"}, "pref": {"preference", "Priority"},
	"ip_proto": {"ipproto", "IPProtocol"}, "ipproto": {"ipproto", "IPProtocol"}, "sport": {"sport", "SourcePort"}, "dport": {"dport", "DestinationPort"},
	"suppress_prefixlength": {"suppress_prefixlength", "SuppressPrefixLength"}, "suppress_ifgroup": {"suppress_ifgroup", "SuppressInterfaceGroup"},
	"realms": {"realms", ""}, "realm": {"realms", ""}, "uidrange": {"uidrange", ""}, "tun_id": {"tun_id", ""}, "goto": {"goto", ""},
}

// standingRule reads a line of static_rules.
func standingRule(args []string) *hostSetting {
	s := &hostSetting{section: "RoutingPolicyRule", six: slices.Contains(args, "inet6")}
	s.command = []string{"rule", "add"}
	for words := args; len(words) > 0; {
		word, value, taken := words[0], valueOf(words), 2
		k, known := ruleKeys[word]
		switch {
		case (word == "from" || word == "to") && value != "all" && value != "default":
			p, ok := prefix(value)
			if !ok {
				return &hostSetting{ignored: fmt.Sprintf("%q is no address: keepalived ignores the rule", value)}
			}
			s.six = s.six || p.Addr().Is6()
			s.add(k[1], network(value), k[0], network(value))
		case known:
			s.add(k[1], value, k[0], value)
		case word == "not":
			taken = 1
			s.lines = append(s.lines, "InvertRule=yes")
			s.command = slices.Insert(s.command, 2, "not")
		case slices.Contains(ruleActions, word):
			taken = 1
			s.add("Type", word, word)
		case word == "l3mdev":
			taken = 1
			s.add("L3MasterDevice", "yes", word)
		case word != "track_group" && word != "protocol" && word != "proto":
			taken = 1
		}
		words = words[min(taken, len(words)):]
	}
	return s
}
