package keepalived

import (
	"net/netip"
	"slices"
	"strings"

	"holdfast/conf/convert"
)

// An argument is what a word of a route or rule line means.
type argument struct {
	key  string
	kind argumentKind
}

type argumentKind byte

const (
	textual     argumentKind = iota // a string
	numeric                         // a number, or a string if it is none
	millisecond                     // a number of milliseconds
	unit                            // 1 is true
)

// routeArguments are the words of a route that have one argument each.
var routeArguments = map[string]argument{
	"via": {"via", textual}, "gw": {"via", textual}, "src": {"source", textual}, "scope": {"scope", textual},
	"table": {"table", numeric}, "metric": {"metric", numeric}, "priority": {"metric", numeric}, "preference": {"metric", numeric},
	"mtu": {"mtu", numeric}, "advmss": {"advmss", numeric}, "hoplimit": {"hoplimit", numeric}, "window": {"window", numeric},
	"cwnd": {"cwnd", numeric}, "ssthresh": {"ssthresh", numeric}, "initcwnd": {"initcwnd", numeric}, "initrwnd": {"initrwnd", numeric},
	"reordering": {"reordering", numeric}, "realms": {"realm", numeric}, "realm": {"realm", numeric},
	"rtt": {"rtt", millisecond}, "rttvar": {"rttvar", millisecond}, "rto_min": {"rto_min", millisecond},
	"tos": {"tos", numeric}, "dsfield": {"tos", numeric}, "vrf": {"vrf", textual}, "congctl": {"congctl", textual}, "pref": {"preference", textual},
	"quickack": {"quickack", unit}, "fastopen_no_cookie": {"fastopen_no_cookie", unit},
}

var routeTypes = []string{"unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw"}

// A routeLine is one line of virtual_routes while it is read.
type routeLine struct {
	c      *converter
	in     *instance
	line   *directive
	t      *convert.Table
	args   []string
	locked []string
	hops   []any
	to     string
	via    []string // several with "or"
	device string
	onlink bool
	scope  bool
	kind   string // "": unicast
}

// everywhere is the destination of a default route.
const everywhere = "default"

// draftRoutes makes a [[vrrp.route]] of each line of virtual_routes.
func (c *converter) draftRoutes(t *convert.Table, in *instance) {
	for _, d := range all(in.body, "virtual_routes") {
		for _, line := range d.body {
			to, rest := destination(line.args)
			if to == "" {
				c.report.Person(line.at, "the route has no destination: keepalived ignores it")
				continue
			}
			r := &routeLine{c: c, in: in, line: line, t: t.List("route", line.at), to: to, args: rest}
			r.t.Set(line.at, "to", to)
			r.t.Comment("", line.comments...)
			r.read()
		}
	}
}

// destination takes the destination out of the words of a route.
func destination(args []string) (to string, rest []string) {
	for i := range args {
		word := args[i]
		switch {
		case word == "to" && i+1 < len(args):
			return network(args[i+1]), slices.Delete(slices.Clone(args), i, i+2)
		case word == "default" || word == "default6":
			return everywhere, slices.Delete(slices.Clone(args), i, i+1)
		case slices.Contains(routeTypes, word):
		default:
			if _, ok := prefix(word); ok && (i == 0 || !takesArgument(args[i-1])) {
				return network(word), slices.Delete(slices.Clone(args), i, i+1)
			}
		}
	}
	return "", nil
}

func takesArgument(word string) bool {
	_, known := routeArguments[word]
	return known || word == "dev" || word == "or" || word == "nexthop"
}

// network writes a destination without bits beyond its length.
func network(s string) string {
	if s == everywhere {
		return s
	}
	p, ok := prefix(s)
	if !ok {
		return s
	}
	return p.Masked().String()
}

func (r *routeLine) read() {
	for len(r.args) > 0 {
		n := r.word(r.args[0], r.value())
		r.args = r.args[min(n, len(r.args)):]
	}
	if len(r.locked) > 0 {
		r.t.Set(r.line.at, "lock", r.locked)
	}
	r.ways()
	if len(r.hops) > 0 {
		r.t.Set(r.line.at, "nexthops", r.hops)
	}
}

// ways sets the device and the gateway, or the next hops if the line has several
// gateways.
func (r *routeLine) ways() {
	if len(r.via) > 1 {
		for _, via := range r.via {
			h := convert.Inline{{Key: "via", Value: via}}
			if device := r.deviceFor(via); device != "" {
				h = append(h, convert.Pair{Key: "device", Value: device})
			}
			r.hops = append(r.hops, h)
		}
		return
	}
	if len(r.via) == 1 {
		r.t.Set(r.line.at, "via", r.via[0])
		if device := r.deviceFor(r.via[0]); device != "" {
			r.t.Set(r.line.at, "device", device)
		}
		return
	}
	if r.device != "" {
		r.t.Set(r.line.at, "device", r.device)
	}
	// keepalived leaves the scope at global, ip and holdfast take link.
	if len(r.hops) == 0 && !r.scope && r.kind == "" && !r.six() {
		r.t.Set(r.line.at, "scope", "global")
	}
}

// six reports whether it is an IPv6 route.
func (r *routeLine) six() bool {
	if r.to == everywhere {
		return r.in.six
	}
	return strings.Contains(r.to, ":")
}

// deviceFor returns the device by which a gateway is reached. Without dev the kernel
// looks for it.
func (r *routeLine) deviceFor(via string) string {
	if r.device != "" || r.onlink {
		return r.device
	}
	if a, ok := address(via); !ok || r.in.reaches(a) {
		return ""
	}
	return "auto"
}

// reaches reports whether an address is in a subnet of the virtual addresses.
func (in *instance) reaches(a netip.Addr) bool {
	for _, v := range slices.Concat(in.addresses, in.excluded) {
		if v.Contains(a) && !v.IsSingleIP() {
			return true
		}
	}
	return false
}

func (r *routeLine) value() string {
	if len(r.args) > 1 {
		return r.args[1]
	}
	return ""
}

// word reads one word with its arguments, and returns how many words these are.
func (r *routeLine) word(word, value string) int {
	at := r.line.at
	switch {
	case slices.Contains(routeTypes, word):
		if word != "unicast" {
			r.kind = word
			r.t.Set(at, "type", word)
		}
		return 1
	case word == "dev":
		r.device = r.c.device(r.in, value)
		return 2
	case word == "onlink":
		r.onlink = true
		r.t.Set(at, "onlink", true)
		return 1
	case word == "features":
		r.t.Set(at, "features", []string{value})
		return 2
	case word == "nexthop":
		return r.hop()
	case word == "or":
		r.via = append(r.via, gateway(value))
		return 2
	case word == "encap":
		r.c.report.Person(at, "encap is not translated: write the key encap of [[vrrp.route]]")
		return len(r.args)
	case word == "protocol" || word == "proto" || word == "ttl-propagate":
		r.c.report.Note(at, "%s %s: holdfast marks its routes with protocol 112, to know them again", word, value)
		return 2
	case word == "track_group":
		r.c.report.Person(at, "track_group %s: holdfast puts back a route that somebody deletes", value)
		return 2
	case word == "no_track" || word == "add" || word == "append" || word == "prepend":
		r.c.report.Note(at, "%s: holdfast adds its route beside others and puts it back if somebody deletes it", word)
		return 1
	case word == "inet6" || word == "inet":
		return 1
	}
	return r.argument(word, value)
}

// argument reads a word with one argument; "lock" may stand between.
func (r *routeLine) argument(word, value string) int {
	a, known := routeArguments[word]
	if !known {
		r.c.report.Person(r.line.at, "keepalived does not understand %q in a route and ignores it", word)
		return 1
	}
	taken := 2
	if value == "lock" && len(r.args) > 2 {
		r.locked = append(r.locked, a.key)
		value, taken = r.args[2], 3
	}
	switch a.key {
	case "via":
		r.via = append(r.via, gateway(value))
		return taken
	case "source":
		value = gateway(value)
	case "scope":
		r.scope = true
	}
	switch a.kind {
	case numeric:
		r.t.Set(r.line.at, a.key, numeral(value))
	case millisecond:
		r.t.Set(r.line.at, a.key, strings.TrimSuffix(value, "ms")+"ms")
	case unit:
		r.t.Set(r.line.at, a.key, value == "1")
	default:
		r.t.Set(r.line.at, a.key, value)
	}
	return taken
}

// gateway is an address without its prefix length, which keepalived ignores.
func gateway(value string) string {
	a, _, _ := strings.Cut(value, "/")
	return a
}

// numeral is plain for numbers that may be hexadecimal.
func numeral(s string) any {
	if digits, ok := strings.CutPrefix(s, "0x"); ok && digits != "" && strings.Trim(strings.ToLower(digits), "0123456789abcdef") == "" && len(digits) < 9 {
		return rawNumber(s)
	}
	return plain(s)
}

// A rawNumber is a number as TOML writes it.
type rawNumber string

// hop reads "nexthop via A dev B weight N", and returns how many words these are.
func (r *routeLine) hop() int {
	given := map[string]string{}
	i := 1
	for i < len(r.args) && slices.Contains([]string{"via", "dev", "weight", "onlink"}, r.args[i]) {
		word := r.args[i]
		i++
		given[word] = ""
		if word != "onlink" && i < len(r.args) {
			given[word] = r.args[i]
			i++
		}
	}
	var h convert.Inline
	if via := gateway(given["via"]); via != "" {
		h = append(h, convert.Pair{Key: "via", Value: via})
	}
	if device := r.hopDevice(given); device != "" {
		h = append(h, convert.Pair{Key: "device", Value: device})
	}
	if weight := given["weight"]; weight != "" {
		h = append(h, convert.Pair{Key: "weight", Value: plain(weight)})
	}
	r.hops = append(r.hops, h)
	return i
}

func (r *routeLine) hopDevice(given map[string]string) string {
	if device := given["dev"]; device != "" {
		return r.c.device(r.in, device)
	}
	if _, onlink := given["onlink"]; onlink {
		return ""
	}
	return r.deviceFor(given["via"])
}

// device returns the name of an interface in a route or rule: that of the virtual MAC
// is "vmac".
func (c *converter) device(in *instance, name string) string {
	k := in.word("use_vmac")
	if k == nil {
		return name
	}
	if slices.Contains(k.args[1:], name) || name == "vrrp."+argOf(in.word("virtual_router_id")) {
		return "vmac"
	}
	return name
}
