package conf

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"holdfast/vrrp"
)

// A Track is something besides its own interface on which the mastership of an
// instance may depend. Fields that the Kind has no use for are zero.
type Track struct {
	Name     string
	Kind     TrackKind
	Weight   int           // where who tracks it says nothing else; see Tracking
	Reverse  bool          // well when it is not, and the sign of a number turned
	StartsUp bool          // does not keep an instance waiting until it is known
	Interval time.Duration // from one look to the next; 0 for a service or BFD, which tell by themselves
	Timeout  time.Duration // of a look that waits for somebody else
	Rise     int           // good looks in a row that make it up
	Fall     int           // bad looks in a row that make it down
	// TimeoutFall is how many bad looks in a row make it down when they were
	// only late; where nothing can be, Fall.
	TimeoutFall int

	Interface string  // interface; neighbour; route: "" is any
	Command   Command // script; its Timeout is 0
	File      string  // file: absolute path
	Missing   int     // file: its number while there is none in it
	Process   string  // process: its name, or the absolute path of its program
	// Parameters are those of the process, nil for any, and ParametersMatch is
	// how much of its command line they are.
	Parameters      []string
	ParametersMatch ParametersMatch
	Address         netip.Addr   // neighbour, ping
	Route           netip.Prefix // route
	Table           uint32       // route: the routing table
	Service         string       // service: a name of Config.Services
	Quorum          int          // service, process: so many at least
	QuorumMax       int          // process: so many at most; 0: no matter
	QuorumSum       int          // service: weights of the servers that are up; 0: no matter
	BFD             string       // bfd: a name of Config.BFD
}

// A TrackKind is a way to look.
type TrackKind string

// The kinds of trackers.
const (
	TrackInterface TrackKind = "interface" // an interface is up and has a carrier
	TrackScript    TrackKind = "script"    // a program ends with status 0
	TrackFile      TrackKind = "file"      // the number in a file
	TrackProcess   TrackKind = "process"   // processes of a name are running
	TrackNeighbour TrackKind = "neighbour" // an address on the link answers ARP or neighbour discovery
	TrackPing      TrackKind = "ping"      // an address answers ICMP echo requests
	TrackRoute     TrackKind = "route"     // there is a route to a prefix
	TrackService   TrackKind = "service"   // a virtual service has enough servers that are up
	TrackBFD       TrackKind = "bfd"       // a session of Bidirectional Forwarding Detection is up
)

// ParametersMatch says which command lines parameters stand for.
type ParametersMatch string

// The ways to compare parameters.
const (
	ParametersExact   ParametersMatch = "exact"   // these and no others
	ParametersInitial ParametersMatch = "initial" // it begins with these
	ParametersPartial ParametersMatch = "partial" // so it does, and the last may go on
)

// Tracking says what a tracker is to an instance or group: with Weight 0 a
// fault while it is down; a positive weight is added to the priority while it
// is up, a negative one while it is down; a file's number is multiplied by it.
type Tracking struct {
	Name   string // of a Track
	Weight int
}

// maxWeight is the most by which a priority can change.
const maxWeight = 253

// trackerWeight stands for the weight of the tracker itself until resolveTracking.
const trackerWeight = math.MinInt

var trackKind = choice(
	option[TrackKind]{"interface", TrackInterface},
	option[TrackKind]{"script", TrackScript},
	option[TrackKind]{"file", TrackFile},
	option[TrackKind]{"process", TrackProcess},
	option[TrackKind]{"neighbour", TrackNeighbour},
	option[TrackKind]{"ping", TrackPing},
	option[TrackKind]{"route", TrackRoute},
	option[TrackKind]{"service", TrackService},
	option[TrackKind]{"bfd", TrackBFD},
)

var parametersMatch = choice(
	option[ParametersMatch]{"exact", ParametersExact},
	option[ParametersMatch]{"initial", ParametersInitial},
	option[ParametersMatch]{"partial", ParametersPartial},
)

// trackKeys are the keys that belong to some kinds only: first those that are
// needed, then, after "", those that are not.
var trackKeys = map[TrackKind][]string{
	TrackInterface: {"interface", "", "interval", "rise", "fall"},
	TrackScript:    {"command", "", "interval", "timeout", "rise", "fall", "timeout_fall"},
	TrackFile:      {"file", "", "missing", "interval"},
	TrackProcess:   {"process", "", "parameters", "parameters_match", "quorum", "quorum_max", "interval", "rise", "fall"},
	TrackNeighbour: {"address", "interface", "", "interval", "timeout", "rise", "fall"},
	TrackPing:      {"address", "", "interface", "interval", "timeout", "rise", "fall"},
	TrackRoute:     {"route", "", "interface", "table", "interval", "rise", "fall"},
	TrackService:   {"service", "", "quorum", "quorum_weight"},
	TrackBFD:       {"bfd", ""},
}

// has returns whether a key belongs to the kind.
func (k TrackKind) has(key string) bool { return slices.Contains(trackKeys[k], key) }

func (k *Track) visit(t *table) {
	need(t, "name", &k.Name, name)
	need(t, "type", &k.Kind, trackKind)
	visitOf := func(key string, visit func()) {
		if t.reading() || k.Kind.has(key) {
			visit()
		}
	}
	visitOf("interface", func() { field(t, "interface", &k.Interface, optional(interfaceName), "") })
	visitOf("address", func() { field(t, "address", &k.Address, optional(neighbourAddress), netip.Addr{}) })
	visitOf("route", func() { field(t, "route", &k.Route, optional(routePrefix), netip.Prefix{}) })
	visitOf("table", func() { field(t, "table", &k.Table, routeTable(t), mainTable) })
	visitOf("command", func() { field(t, "command", &k.Command, untimedCommand, Command{}) })
	visitOf("file", func() { field(t, "file", &k.File, optional(absolutePath), "") })
	visitOf("missing", func() { field(t, "missing", &k.Missing, integer[int](-1000, 1000), 0) })
	visitOf("process", func() { field(t, "process", &k.Process, optional(processName), "") })
	visitOf("parameters", func() { field(t, "parameters", &k.Parameters, listOf(text), nil) })
	if t.reading() || len(k.Parameters) > 0 {
		visitOf("parameters_match", func() { field(t, "parameters_match", &k.ParametersMatch, parametersMatch, ParametersExact) })
	}
	visitOf("service", func() { field(t, "service", &k.Service, optional(name), "") })
	visitOf("quorum", func() { field(t, "quorum", &k.Quorum, integer[int](1, 65535), 1) })
	visitOf("quorum_max", func() { field(t, "quorum_max", &k.QuorumMax, integer[int](0, 65535), 0) })
	visitOf("quorum_weight", func() { field(t, "quorum_weight", &k.QuorumSum, integer[int](0, math.MaxInt32), 0) })
	visitOf("bfd", func() { field(t, "bfd", &k.BFD, optional(name), "") })
	field(t, "weight", &k.Weight, weight, 0)
	field(t, "reverse", &k.Reverse, boolean, false)
	field(t, "starts_up", &k.StartsUp, boolean, false)
	visitOf("interval", func() { field(t, "interval", &k.Interval, duration(10*time.Millisecond, 24*time.Hour), time.Second) })
	visitOf("timeout", func() { field(t, "timeout", &k.Timeout, duration(10*time.Millisecond, 24*time.Hour), k.Interval) })
	visitOf("rise", func() { field(t, "rise", &k.Rise, integer[int](1, 1000), 1) })
	visitOf("fall", func() { field(t, "fall", &k.Fall, integer[int](1, 1000), k.Kind.fall()) })
	visitOf("timeout_fall", func() { field(t, "timeout_fall", &k.TimeoutFall, integer[int](1, 1000), k.Fall) })
	if t.reading() && t.ok("type") {
		k.resolve(t)
	}
}

// fall is the default: what the kernel says is a fact; an answer that does not
// come may be lost.
func (k TrackKind) fall() int {
	switch k {
	case TrackScript, TrackNeighbour, TrackPing:
		return 2
	}
	return 1
}

// resolve refuses and removes what the kind has no use for.
func (k *Track) resolve(t *table) {
	for _, key := range trackKeys[k.Kind] {
		if key == "" {
			break
		}
		if !t.has(key) {
			t.lack(key, fmt.Sprintf("is required with type = %q", k.Kind))
		}
	}
	seen := map[string]bool{"": true}
	for _, keys := range trackKeys {
		for _, key := range keys {
			if !k.Kind.has(key) && !seen[key] {
				seen[key] = true
				t.forbid(fmt.Sprintf("with type = %q", k.Kind), key)
			}
		}
	}
	if k.Kind.has("timeout") && t.ok("interval", "timeout") && k.Timeout > k.Interval {
		t.failf("timeout", "must be at most the interval, %s, not %s", formatDuration(k.Interval), formatDuration(k.Timeout))
	}
	if a := k.Address; k.Kind == TrackPing && a.Is6() && a.IsLinkLocalUnicast() && k.Interface == "" && t.ok("address", "interface") {
		t.lack("interface", fmt.Sprintf("is required, because %v is link-local", a))
	}
	if k.Kind == TrackScript && t.has("command") && t.ok("command") && len(k.Command.Argv) == 0 {
		t.failf("command", "must name a program")
	}
	if k.Kind == TrackScript && t.ok("fall", "timeout_fall") && k.TimeoutFall < k.Fall {
		t.failf("timeout_fall", "must be at least fall, %d, not %d", k.Fall, k.TimeoutFall)
	}
	if k.Kind == TrackProcess {
		k.resolveProcess(t)
	}
	k.trim()
}

func (k *Track) resolveProcess(t *table) {
	if t.ok("quorum", "quorum_max") && k.QuorumMax != 0 && k.QuorumMax < k.Quorum {
		t.failf("quorum_max", "must be at least the quorum, %d, or 0, not %d", k.Quorum, k.QuorumMax)
	}
	if t.has("parameters_match") && len(k.Parameters) == 0 {
		t.failf("parameters_match", "has no effect without parameters")
	}
}

func (k *Track) trim() {
	if !k.Kind.has("quorum") {
		k.Quorum = 0
	}
	if !k.Kind.has("table") {
		k.Table = 0
	}
	if !k.Kind.has("interval") {
		k.Interval = 0
	}
	// A look that waits for nobody else is given its interval.
	if !k.Kind.has("timeout") {
		k.Timeout = k.Interval
	}
	if !k.Kind.has("rise") {
		k.Rise, k.Fall = 1, 1
	}
	if !k.Kind.has("timeout_fall") {
		k.TimeoutFall = k.Fall
	}
	if len(k.Parameters) == 0 {
		k.ParametersMatch = ""
	}
}

var weight = integer[int](-maxWeight, maxWeight)

// neighbourAddress is the address of somebody who can answer.
var neighbourAddress = textual("an address", func(s string) (netip.Addr, error) {
	a, err := parseAddress(s)
	if err == nil && (a.IsUnspecified() || a.IsMulticast()) {
		err = fmt.Errorf("%v is not the address of a host", a)
	}
	return a, err
}, netip.Addr.String)

// routePrefix is the destination of a route.
var routePrefix = textual(`a prefix, like "0.0.0.0/0",`, func(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	switch {
	case s == "default":
		return p, fmt.Errorf(`write "0.0.0.0/0" or "::/0" instead of "default"`)
	case err != nil:
		return p, fmt.Errorf(`%s is not a prefix, like "0.0.0.0/0"`, quoteShort(s))
	case p.Masked() != p:
		return p, fmt.Errorf("%v has bits beyond its prefix length: write %v", p, p.Masked())
	}
	_, err = plainAddress(p.Addr())
	return p, err
}, netip.Prefix.String)

// processName is what a process calls itself, or the path of its program.
var processName = textual("the name of a process", func(s string) (string, error) {
	if s == "" || strings.ContainsAny(s, "\x00\n") || strings.Contains(s, "/") && !strings.HasPrefix(s, "/") {
		return "", fmt.Errorf("must be the name of a process or the absolute path of its program, not %s", quoteShort(s))
	}
	return s, nil
}, func(s string) string { return s })

// tracking is the name of a tracker, or a table that gives it a weight.
var tracking = codec[Tracking]{
	decode: func(v value, fail func(value, string)) (Tracking, bool) {
		k := Tracking{Weight: trackerWeight}
		keys, isTable := v.data.(map[string]value)
		if !isTable {
			if _, ok := v.data.(string); !ok {
				fail(v, fmt.Sprintf(`must be the name of a [[track]], or a table like { name = "gw", weight = -50 }, not %v`, v))
				return k, false
			}
			keys = map[string]value{"name": v}
		}
		ok := true
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			var good bool
			switch key {
			case "name":
				k.Name, good = name.decode(keys[key], fail)
			case "weight":
				k.Weight, good = weight.decode(keys[key], fail)
			default:
				fail(keys[key], unknownKey(key, []string{"name", "weight"}))
			}
			ok = ok && good
		}
		if _, named := keys["name"]; !named && ok {
			fail(v, `the key name is required, as in { name = "gw", weight = -50 }`)
			return k, false
		}
		return k, ok
	},
	encode: func(k Tracking) any {
		if k.Weight == trackerWeight {
			return k.Name
		}
		return inlineTable{{"name", k.Name}, {"weight", int64(k.Weight)}}
	},
}

// checkTracking refuses trackers that nobody can find or that are tracked
// twice, and fills in the weights that are the tracker's own.
func (c *Config) checkTracking(s sections) {
	seen := make(unique[string])
	for i, t := range s.tracks {
		k := &c.Tracks[i]
		if k.Name != "" && t.ok("name") {
			if first := seen.use(k.Name, t.where("name")); first != "" {
				t.failf("name", "%q is already used at %s", k.Name, first)
			}
		}
		if k.Service != "" && t.ok("service", "type") {
			c.checkTrackedService(t, k)
		}
		if k.BFD != "" && t.ok("bfd", "type") {
			c.checkTrackedBFD(t, k)
		}
	}
	for i, t := range s.vrrp {
		c.resolveTracking(t, c.VRRP[i].Track)
		c.checkOwnerTracks(t, &c.VRRP[i])
	}
	for i, t := range s.groups {
		c.resolveTracking(t, c.Groups[i].Track)
	}
	c.checkSharedTracking(s)
}

func (c *Config) checkTrackedService(t *table, k *Track) {
	var names []string
	for i := range c.Services {
		v := &c.Services[i]
		names = append(names, v.Name)
		if v.Name != k.Service {
			continue
		}
		if n := len(v.Servers); n > 0 && k.Quorum > n && t.ok("quorum") {
			t.failf("quorum", "must be at most %d, the number of servers of service %q, not %d", n, v.Name, k.Quorum)
		}
		return
	}
	t.failf("service", "there is no [[service]] named %q%s", k.Service, suggest(k.Service, names))
}

func (c *Config) resolveTracking(t *table, list []Tracking) {
	if !t.ok("track") {
		return
	}
	var names []string
	for i := range c.Tracks {
		names = append(names, c.Tracks[i].Name)
	}
	seen := map[string]bool{}
	for i := range list {
		at := slices.Index(names, list[i].Name)
		switch {
		case at < 0:
			t.failf("track", "there is no [[track]] named %q%s", list[i].Name, suggest(list[i].Name, names))
		case seen[list[i].Name]:
			t.failf("track", "%q is listed twice", list[i].Name)
		case list[i].Weight == trackerWeight:
			list[i].Weight = c.Tracks[at].Weight
		}
		seen[list[i].Name] = true
	}
}

// checkOwnerTracks refuses weights that can change nothing.
func (c *Config) checkOwnerTracks(t *table, in *Instance) {
	if in.Priority != vrrp.PriorityOwner || !t.ok("track", "priority") {
		return
	}
	for _, k := range in.Track {
		if k.Weight != 0 {
			t.failf("track", "%q has a weight, but the priority of the owner, %d, never changes", k.Name, in.Priority)
			return
		}
	}
}

// checkSharedTracking refuses a tracker that a group and its members give
// different weights: members move together, so there is one for all of them.
func (c *Config) checkSharedTracking(s sections) {
	for gi, gt := range s.groups {
		g := &c.Groups[gi]
		if !gt.ok("track", "members") {
			continue
		}
		weights := map[string]int{}
		for _, k := range g.Track {
			weights[k.Name] = k.Weight
		}
		for i, t := range s.vrrp {
			in := &c.VRRP[i]
			if !slices.Contains(g.Members, in.Name) || !t.ok("track") {
				continue
			}
			for _, k := range in.Track {
				if w, there := weights[k.Name]; there && w != k.Weight {
					t.failf("track", "%q has weight %d here, but %d elsewhere in the group %q: all members need the same weight", k.Name, k.Weight, w, g.Name)
					break
				}
				weights[k.Name] = k.Weight
			}
		}
	}
}
