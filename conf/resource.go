package conf

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Resource is something that runs where a group or lone instance is MASTER. Fields
// that do not belong to the Kind are zero.
type Resource struct {
	Name string // unique among all resources
	Kind ResourceKind

	Unit     string            // systemd: the unit, with its suffix
	Script   string            // lsb: absolute path
	Args     []string          // lsb: arguments before the action
	Provider string            // ocf: directory of the agent
	Agent    string            // ocf: name of the agent
	Params   map[string]string // ocf: OCF_RESKEY_ variables
	OCFRoot  string            // ocf: OCF_ROOT
	Start    Command           // command; their Timeout is 0, as are those of Stop and Status
	Stop     Command           // command; without Argv there is nothing to do
	Status   Command           // command; without Argv nobody can ask whether it runs

	Before       ResourceBefore
	Exclusive    bool // with Before: it must not run on two directors at once
	OnFailure    ResourceFailure
	StartTimeout time.Duration
	StopTimeout  time.Duration
	Interval     time.Duration // between two looks at whether it runs; 0: nobody looks
	Timeout      time.Duration // of one look
	Retries      int           // further attempts to start or stop it
	RetryAfter   time.Duration // from giving up until the next attempt; 0: the next reload
}

// A ResourceKind is how a resource is started.
type ResourceKind string

// The kinds.
const (
	ResourceSystemd ResourceKind = "systemd" // a unit of systemd
	ResourceLSB     ResourceKind = "lsb"     // an init script of the Linux Standard Base
	ResourceOCF     ResourceKind = "ocf"     // an agent of the Open Cluster Framework
	ResourceCommand ResourceKind = "command" // programs of the administrator
)

// ResourceBefore is what a resource is started before.
type ResourceBefore string

// The choices.
const (
	ResourceAfterAddresses  ResourceBefore = ""          // it starts when the addresses are up
	ResourceBeforeAddresses ResourceBefore = "addresses" // the addresses wait for it
)

// ResourceFailure is what follows when a resource cannot be started.
type ResourceFailure string

// The choices.
const (
	ResourceIgnored ResourceFailure = "ignore" // the others go on without it
	ResourceFaults  ResourceFailure = "fault"  // the group or instance goes into FAULT
)

var (
	resourceKind = choice(
		option[ResourceKind]{"systemd", ResourceSystemd}, option[ResourceKind]{"lsb", ResourceLSB},
		option[ResourceKind]{"ocf", ResourceOCF}, option[ResourceKind]{"command", ResourceCommand},
	)
	resourceBefore  = choice(option[ResourceBefore]{"addresses", ResourceBeforeAddresses})
	resourceFailure = choice(option[ResourceFailure]{"ignore", ResourceIgnored}, option[ResourceFailure]{"fault", ResourceFaults})
)

// defaultOCFRoot is where agents are (OCF resource agent API 1.1, section 3.1).
const defaultOCFRoot = "/usr/lib/ocf"

// resourceKeys are the keys that belong to one kind only: first the required ones and
// then, after "", the optional ones.
var resourceKeys = map[ResourceKind][]string{
	ResourceSystemd: {"unit", ""},
	ResourceLSB:     {"script", "", "args"},
	ResourceOCF:     {"agent", "", "params", "ocf_root"},
	ResourceCommand: {"start", "", "stop", "status"},
}

func (k ResourceKind) has(key string) bool { return slices.Contains(resourceKeys[k], key) }

// A resourceAgent is the name of an OCF agent as the file has it: PROVIDER:NAME.
type resourceAgent struct{ provider, name string }

var ocfAgent = textual(`the name of an agent, like "heartbeat:Filesystem",`, func(s string) (resourceAgent, error) {
	provider, name, ok := strings.Cut(strings.TrimPrefix(s, "ocf:"), ":")
	if !ok {
		provider, name = "heartbeat", provider
	}
	if fileName(provider) != nil || fileName(name) != nil {
		return resourceAgent{}, fmt.Errorf(`must be the name of an agent, like "heartbeat:Filesystem", not %s`, quoteShort(s))
	}
	return resourceAgent{provider, name}, nil
}, func(a resourceAgent) string {
	if a.name == "" {
		return ""
	}
	return a.provider + ":" + a.name
})

// fileName returns why s cannot name a file of a directory.
func fileName(s string) error {
	if s == "" || s == "." || s == ".." || strings.ContainsAny(s, "/\x00\n") {
		return fmt.Errorf("must be the name of a file, not %s", quoteShort(s))
	}
	return nil
}

// initScript is the path of an init script, or its name in /etc/init.d.
var initScript = textual("a path, or a name in /etc/init.d,", func(s string) (string, error) {
	if strings.HasPrefix(s, "/") && !strings.ContainsAny(s, "\x00\n") {
		return s, nil
	}
	if err := fileName(s); err != nil {
		return "", fmt.Errorf("must be an absolute path, or a name in /etc/init.d, not %s", quoteShort(s))
	}
	return "/etc/init.d/" + s, nil
}, func(s string) string { return s })

// systemdUnit is the name of a unit; without a suffix it is a service.
var systemdUnit = textual("the name of a unit", func(s string) (string, error) {
	odd := func(r rune) bool { return r <= ' ' || r == '/' || r == 0x7f }
	if s == "" || s[0] == '-' || strings.ContainsFunc(s, odd) {
		return "", fmt.Errorf("must be the name of a unit, not %s", quoteShort(s))
	}
	if !strings.Contains(s, ".") {
		s += ".service"
	}
	return s, nil
}, func(s string) string { return s })

// resourceTimeout is how long a program of a resource may take.
var resourceTimeout = duration(100*time.Millisecond, time.Hour)

func (r *Resource) visit(t *table) {
	need(t, "name", &r.Name, name)
	need(t, "type", &r.Kind, resourceKind)
	r.visitKind(t)
	field(t, "before", &r.Before, optional(resourceBefore), ResourceAfterAddresses)
	early := r.Before == ResourceBeforeAddresses
	if t.reading() || early {
		field(t, "exclusive", &r.Exclusive, boolean, false)
	}
	if t.reading() && !early {
		t.forbid("without before", "exclusive")
		r.Exclusive = false
	}
	field(t, "on_failure", &r.OnFailure, resourceFailure, ResourceIgnored)
	field(t, "start_timeout", &r.StartTimeout, resourceTimeout, time.Minute)
	field(t, "stop_timeout", &r.StopTimeout, resourceTimeout, 20*time.Second)
	field(t, "interval", &r.Interval, duration(0, 24*time.Hour), 0)
	field(t, "timeout", &r.Timeout, resourceTimeout, 20*time.Second)
	field(t, "retries", &r.Retries, integer[int](0, 1000), 2)
	field(t, "retry_after", &r.RetryAfter, duration(0, 7*24*time.Hour), 10*time.Minute)
	if t.reading() && t.ok("type") {
		r.resolve(t)
	}
}

// visitKind visits the keys that belong to one kind.
func (r *Resource) visitKind(t *table) {
	visitOf := func(key string, visit func()) {
		if t.reading() || r.Kind.has(key) {
			visit()
		}
	}
	agent := resourceAgent{r.Provider, r.Agent}
	visitOf("unit", func() { field(t, "unit", &r.Unit, optional(systemdUnit), "") })
	visitOf("script", func() { field(t, "script", &r.Script, optional(initScript), "") })
	visitOf("args", func() { field(t, "args", &r.Args, listOf(text), nil) })
	visitOf("agent", func() { field(t, "agent", &agent, optional(ocfAgent), resourceAgent{}) })
	visitOf("params", func() { field(t, "params", &r.Params, parameters, nil) })
	visitOf("ocf_root", func() { field(t, "ocf_root", &r.OCFRoot, absolutePath, defaultOCFRoot) })
	visitOf("start", func() { field(t, "start", &r.Start, untimedCommand, Command{}) })
	visitOf("stop", func() { field(t, "stop", &r.Stop, untimedCommand, Command{}) })
	visitOf("status", func() { field(t, "status", &r.Status, untimedCommand, Command{}) })
	r.Provider, r.Agent = agent.provider, agent.name
}

// resolve refuses and clears what does not belong to the kind.
func (r *Resource) resolve(t *table) {
	for _, key := range resourceKeys[r.Kind] {
		if key == "" {
			break
		}
		if !t.has(key) {
			t.lack(key, fmt.Sprintf("is required with type = %q", r.Kind))
		}
	}
	for _, kind := range []ResourceKind{ResourceSystemd, ResourceLSB, ResourceOCF, ResourceCommand} {
		for _, key := range resourceKeys[kind] {
			if kind != r.Kind && key != "" {
				t.forbid(fmt.Sprintf("with type = %q", r.Kind), key)
			}
		}
	}
	if r.Kind != ResourceOCF {
		r.OCFRoot = ""
	}
	if r.Kind == ResourceCommand && t.has("start") && t.ok("start") && len(r.Start.Argv) == 0 {
		t.failf("start", "must name a program")
	}
	if r.Kind == ResourceCommand && r.Interval > 0 && len(r.Status.Argv) == 0 && t.ok("interval", "status") {
		t.failf("interval", "has no effect without status, which tells whether the resource runs")
	}
}

// checkResources refuses two resources of one name, and resources of an instance that
// moves with a group.
func (c *Config) checkResources(s sections) {
	seen := make(unique[string])
	check := func(tables []*table, list []Resource) {
		for i, t := range tables {
			t.useOnce(seen, "name", list[i].Name)
		}
	}
	home := map[string]string{}
	for i := range c.Groups {
		check(s.groupParts[i].resources, c.Groups[i].Resources)
		for _, member := range c.Groups[i].Members {
			home[member] = c.Groups[i].Name
		}
	}
	for i, t := range s.vrrp {
		in := &c.VRRP[i]
		check(s.vrrpParts[i].resources, in.Resources)
		if group := home[in.Name]; group != "" && len(in.Resources) > 0 {
			t.failf("resource", "the instance moves with group %s: write it as [[group.resource]]", group)
		}
		if group := home[in.Name]; group != "" && in.Fence.Kind != "" {
			t.failf("fence", "the instance moves with group %s: write it as [group.fence]", group)
		}
	}
}
