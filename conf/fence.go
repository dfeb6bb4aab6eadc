package conf

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"holdfast/vrrp/auth"
)

// A Fence is how a MASTER that has vanished is made sure to be off before its addresses
// are taken over. Without a Kind there is no fencing.
type Fence struct {
	Kind    FenceKind
	Command Command           // command; its Timeout is 0
	Agent   string            // agent: absolute path of a fence agent
	Plugin  string            // stonith: the name of a plugin
	Params  map[string]string // agent, stonith
	// Secrets are further parameters, and SecretFiles the files that they come from.
	Secrets     map[string]auth.Secret
	SecretFiles map[string]string

	Action FenceAction
	Node   string                // the name of the other director's node
	Nodes  map[netip.Addr]string // the same by the address that its adverts come from

	OnFailure FenceFailure
	Timeout   time.Duration // of one attempt
	Retries   int           // further attempts before OnFailure applies
}

// A FenceKind is what fences.
type FenceKind string

// The kinds.
const (
	FenceCommand FenceKind = "command" // a program of the administrator
	FenceAgent   FenceKind = "agent"   // a fence agent: parameters as lines on the standard input
	FenceStonith FenceKind = "stonith" // a plugin of heartbeat's STONITH
)

// A FenceAction is what is done to the node.
type FenceAction string

// The choices.
const (
	FenceOff    FenceAction = "off"
	FenceReboot FenceAction = "reboot"
)

// A FenceFailure is what follows if the node cannot be fenced.
type FenceFailure string

// The choices.
const (
	FenceWait FenceFailure = "wait" // it is tried again, and nothing is taken over
	FenceTake FenceFailure = "take" // the addresses are taken over all the same
)

var (
	fenceAction  = choice(option[FenceAction]{"off", FenceOff}, option[FenceAction]{"reboot", FenceReboot})
	fenceFailure = choice(option[FenceFailure]{"wait", FenceWait}, option[FenceFailure]{"take", FenceTake})
)

// fenceAgent is the path of a fence agent, or its name in /usr/sbin.
var fenceAgent = textual(`a path, or a name like "fence_ipmilan",`, func(s string) (string, error) {
	if strings.HasPrefix(s, "/") && !strings.ContainsAny(s, "\x00\n") {
		return s, nil
	}
	if fileName(s) != nil {
		return "", fmt.Errorf(`must be an absolute path, or a name like "fence_ipmilan", not %s`, quoteShort(s))
	}
	return "/usr/sbin/" + s, nil
}, func(s string) string { return s })

// stonithPlugin is the name of a plugin, as `stonith -L` lists them, or "" for none.
var stonithPlugin = textual(`the name of a plugin, like "external/ipmi",`, func(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	if s[0] == '-' || strings.ContainsAny(s, " \x00\n") || path.Clean("/"+s) != "/"+s {
		return "", fmt.Errorf(`must be the name of a plugin, like "external/ipmi", not %s`, quoteShort(s))
	}
	return s, nil
}, func(s string) string { return s })

// nodeName is the name of a node as a fence device knows it.
var nodeName = textual("the name of a node", func(s string) (string, error) {
	if s == "" || s[0] == '-' || strings.ContainsAny(s, " \x00\n") {
		return "", fmt.Errorf("must be the name of a node, not %s", quoteShort(s))
	}
	return s, nil
}, func(s string) string { return s })

func (f *Fence) visit(t *table) {
	field(t, "command", &f.Command, untimedCommand, Command{})
	field(t, "agent", &f.Agent, optional(fenceAgent), "")
	field(t, "stonith", &f.Plugin, optional(stonithPlugin), "")
	field(t, "params", &f.Params, parameters, nil)
	field(t, "secrets", &f.SecretFiles, parameters, nil)
	field(t, "action", &f.Action, fenceAction, FenceOff)
	field(t, "node", &f.Node, optional(nodeName), "")
	field(t, "nodes", &f.Nodes, nodes, nil)
	field(t, "on_failure", &f.OnFailure, fenceFailure, FenceWait)
	field(t, "timeout", &f.Timeout, resourceTimeout, time.Minute)
	field(t, "retries", &f.Retries, integer[int](0, 1000), 2)
	if t.reading() && t.clean() {
		f.resolve(t)
	}
}

// resolve finds the kind, and reads the secrets.
func (f *Fence) resolve(t *table) {
	given := 0
	for kind, is := range map[FenceKind]bool{FenceCommand: len(f.Command.Argv) > 0, FenceAgent: f.Agent != "", FenceStonith: f.Plugin != ""} {
		if is {
			f.Kind = kind
			given++
		}
	}
	switch {
	case given == 0:
		t.failf("", "needs command, agent or stonith")
	case given > 1:
		t.failf("", "needs one of command, agent and stonith, not several")
	case f.Kind == FenceCommand:
		t.forbid("with command", "params", "secrets", "action")
	case f.Kind == FenceStonith && !strings.HasPrefix(f.Plugin, "external/"):
		t.forbid("with a plugin that is not external: the list of processes would show them", "secrets")
	}
	if f.Node == "" && len(f.Nodes) == 0 {
		t.failf("node", "is required, or nodes")
	}
	for _, name := range slices.Sorted(maps.Keys(f.SecretFiles)) {
		if f.Secrets == nil {
			f.Secrets = map[string]auth.Secret{}
		}
		f.Secrets[name] = readSecretFile(t, "secrets", f.SecretFiles[name])
	}
}

// nodes is a table of addresses and names of nodes.
var nodes = codec[map[netip.Addr]string]{
	decode: func(v value, fail func(value, string)) (map[netip.Addr]string, bool) {
		keys, ok := v.data.(map[string]value)
		if !ok {
			fail(v, fmt.Sprintf(`must be a table like { "10.0.0.2" = "lvs2" }, not %v`, v))
			return nil, false
		}
		var all map[netip.Addr]string
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			a, err := parseAddress(key)
			if err != nil {
				fail(keys[key], err.Error())
			}
			node, good := nodeName.decode(keys[key], fail)
			if ok = ok && good && err == nil; !good || err != nil {
				continue
			}
			if all == nil {
				all = map[netip.Addr]string{}
			}
			all[a] = node
		}
		return all, ok
	},
	encode: func(all map[netip.Addr]string) any {
		if len(all) == 0 {
			return nil
		}
		var shown InlineTable
		for _, a := range slices.SortedFunc(maps.Keys(all), netip.Addr.Compare) {
			shown = append(shown, Pair{a.String(), all[a]})
		}
		return shown
	},
}
