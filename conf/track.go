package conf

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A Track is a tracker: something that the mastership of instances can depend on.
// Fields that do not belong to the Kind are zero.
type Track struct {
	Name     string
	Kind     TrackKind
	Weight   int           // the default of Tracking.Weight
	Reverse  bool          // the tracker is up when the check fails; the sign of a number changes
	StartsUp bool          // instances do not wait until the state is known
	Interval time.Duration // between two checks; 0 for a service or BFD, which report changes themselves
	Timeout  time.Duration // of one check; Interval where a check does not wait
	Rise     int           // successful checks in a row that bring it up
	Fall     int           // failed checks in a row that take it down
	// TimeoutFall is Fall for checks that failed by their timeout. It is Fall for
	// kinds without timeouts.
	TimeoutFall int

	Interface string  // interface; neighbour; route: "" is any
	Command   Command // script; its Timeout is 0
	File      string  // file: absolute path
	Missing   int     // file: the number to use while there is none in the file
	Process   string  // process: its name, or the absolute path of its program
	// Parameters are those of the process; nil matches any. ParametersMatch is how
	// they are compared with the command line.
	Parameters      []string
	ParametersMatch ParametersMatch
	Address         netip.Addr   // neighbour, ping
	Route           netip.Prefix // route
	Table           uint32       // route: the routing table
	Service         string       // service: a name of Config.Services
	Quorum          int          // service, process: at least so many; service: 0 is as its own quorum says
	QuorumMax       int          // process: at most so many; 0: no limit
	QuorumSum       int          // service: least sum of the weights of servers that are up; 0: no limit
	Unsent          int          // service: fewer servers whose checks cannot be sent; 0: any number
	BFD             string       // bfd: a name of Config.BFD
}

// A TrackKind is what a tracker checks.
type TrackKind string

// The kinds of trackers.
const (
	TrackInterface TrackKind = "interface" // an interface is up and has a carrier
	TrackScript    TrackKind = "script"    // a program exits with status 0
	TrackFile      TrackKind = "file"      // the number in a file
	TrackProcess   TrackKind = "process"   // processes of a name are running
	TrackNeighbour TrackKind = "neighbour" // an address on the link answers ARP or neighbour discovery
	TrackPing      TrackKind = "ping"      // an address answers ICMP echo requests
	TrackRoute     TrackKind = "route"     // there is a route to a prefix
	TrackService   TrackKind = "service"   // a virtual service has enough servers that are up
	TrackBFD       TrackKind = "bfd"       // a session of Bidirectional Forwarding Detection is up
)

// ParametersMatch is how parameters are compared with a command line.
type ParametersMatch string

// The choices.
const (
	ParametersExact   ParametersMatch = "exact"   // the command line has these parameters and no others
	ParametersInitial ParametersMatch = "initial" // the command line begins with them
	ParametersPartial ParametersMatch = "partial" // as initial, and the last parameter may be longer
)

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

// trackKeys are the keys that belong to some kinds only: first the required ones
// and then, after "", the optional ones.
var trackKeys = map[TrackKind][]string{
	TrackInterface: {"interface", "", "interval", "rise", "fall"},
	TrackScript:    {"command", "", "interval", "timeout", "rise", "fall", "timeout_fall"},
	TrackFile:      {"file", "", "missing", "interval"},
	TrackProcess:   {"process", "", "parameters", "parameters_match", "quorum", "quorum_max", "interval", "rise", "fall"},
	TrackNeighbour: {"address", "interface", "", "interval", "timeout", "rise", "fall"},
	TrackPing:      {"address", "", "interface", "interval", "timeout", "rise", "fall"},
	TrackRoute:     {"route", "", "interface", "table", "interval", "rise", "fall"},
	TrackService:   {"service", "", "quorum", "quorum_weight", "unsent"},
	TrackBFD:       {"bfd", ""},
}

// has reports whether a key belongs to the kind.
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
	visitOf("quorum", func() {
		least := 1
		if k.Kind == TrackService {
			least = 0
		}
		field(t, "quorum", &k.Quorum, integer[int](int64(least), 65535), least)
	})
	visitOf("quorum_max", func() { field(t, "quorum_max", &k.QuorumMax, integer[int](0, 65535), 0) })
	visitOf("quorum_weight", func() { field(t, "quorum_weight", &k.QuorumSum, integer[int](0, math.MaxInt32), 0) })
	visitOf("unsent", func() { field(t, "unsent", &k.Unsent, integer[int](0, 65535), 0) })
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

// fall returns the default of the key fall. One answer can get lost, but what the
// kernel reports is a fact.
func (k TrackKind) fall() int {
	switch k {
	case TrackScript, TrackNeighbour, TrackPing:
		return 2
	}
	return 1
}

// resolve refuses and clears what does not belong to the kind.
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

// neighbourAddress is the address of a host.
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

// processName is the name of a process, or the path of its program.
var processName = textual("the name of a process", func(s string) (string, error) {
	if s == "" || strings.ContainsAny(s, "\x00\n") || strings.Contains(s, "/") && !strings.HasPrefix(s, "/") {
		return "", fmt.Errorf("must be the name of a process or the absolute path of its program, not %s", quoteShort(s))
	}
	return s, nil
}, func(s string) string { return s })
