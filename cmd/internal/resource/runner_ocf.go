package resource

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"holdfast/cmd/internal/program"
)

// An OCF is a resource of an agent of the Open Cluster Framework (OCF resource agent
// API 1.1).
type OCF struct {
	Root     string // OCF_ROOT
	Provider string
	Agent    string
	Instance string // OCF_RESOURCE_INSTANCE
	Params   map[string]string
	// Timeouts are how long an action may take, in milliseconds. Agents wait for
	// themselves in start and stop, some of them by the time that they are given.
	Timeouts map[Action]int64
}

// Command implements Runner.
func (o OCF) Command(a Action) (Command, bool) {
	verb := string(a)
	if a == Look {
		verb = "monitor"
	}
	env := []string{
		"OCF_ROOT=" + o.Root, "OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=1",
		"OCF_RESOURCE_INSTANCE=" + o.Instance, "OCF_RESOURCE_TYPE=" + o.Agent, "OCF_RESOURCE_PROVIDER=" + o.Provider,
		fmt.Sprintf("OCF_RESKEY_CRM_meta_timeout=%d", o.Timeouts[a]),
	}
	for _, name := range slices.Sorted(maps.Keys(o.Params)) {
		env = append(env, "OCF_RESKEY_"+name+"="+o.Params[name])
	}
	path := filepath.Join(o.Root, "resource.d", o.Provider, o.Agent)
	return Command{Program: program.Program{Argv: []string{path, verb}}, Env: env}, true
}

// ocfErrors are the exit statuses by number (section 4.3 of the API).
var ocfErrors = map[int]string{
	1: "generic error", 2: "invalid argument", 3: "action not implemented", 4: "insufficient privileges",
	5: "not installed", 6: "not configured", 7: "not running", 8: "running (promoted)", 9: "failed (promoted)",
	190: "running (degraded)", 191: "running (promoted, degraded)",
}

// Judge implements Runner. What runs in a promoted or degraded state runs.
func (o OCF) Judge(a Action, status int) string {
	running := a != Stop && (status == 8 || status == 190 || status == 191)
	switch {
	case status == 0 || running:
		return ""
	case a == Stop && status == 7:
		return "" // some agents say so of what ran no more
	}
	if name := ocfErrors[status]; name != "" {
		return fmt.Sprintf("%s says: %s (exit status %d)", o.Agent, name, status)
	}
	return zeroIsWell(a, status)
}
