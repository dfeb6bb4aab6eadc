package probe

import (
	"strconv"
	"strings"
	"sync"
	"time"
)

// A MonRun is one run of a monitor of mon that speaks for a whole service, or a trap of
// mon about it.
type MonRun struct {
	Service     string
	At          time.Time // when it ended
	Status      int       // 0: all servers are well
	Output      string
	Environment []string // External.Environment, or Trap.Environment
	Source      MonSource
	Intended    string // the GROUP:SERVICE of a trap that was for a service that does not exist
}

// A MonSource is what a MonRun comes from.
type MonSource string

// The sources.
const (
	FromMonitor     MonSource = ""
	FromTrap        MonSource = "trap"
	FromTrapTimeout MonSource = "traptimeout" // no trap has come for some time
)

// A monHistory is what the next run of a monitor is told of those before it. mon keeps
// it for each service.
type monHistory struct {
	mu                                     sync.Mutex
	ran                                    bool
	failed                                 bool
	output                                 string
	firstFailure, lastFailure, lastSuccess time.Time
}

// environment returns the variables that mon adds for a monitor that has run before
// (run_monitor in mon).
func (h *monHistory) environment() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	env := []string{"MON_LAST_FAILURE=" + monTime(h.lastFailure), "MON_LAST_SUCCESS=" + monTime(h.lastSuccess)}
	if !h.ran {
		return env
	}
	env = append(env, "MON_FIRST_FAILURE="+monTime(h.firstFailure), "MON_LAST_OUTPUT="+h.output)
	summary, _, _ := strings.Cut(h.output, "\n")
	switch {
	case h.failed && strings.TrimSpace(summary) == "":
		env = append(env, "MON_LAST_SUMMARY=(NO SUMMARY)")
	case h.output != "": // without output mon has no summary to pass
		env = append(env, "MON_LAST_SUMMARY="+summary)
	}
	return env
}

// add notes a run.
func (h *monHistory) add(run *MonRun) {
	h.mu.Lock()
	defer h.mu.Unlock()
	failed := run.Status != 0
	switch {
	case !failed:
		h.firstFailure, h.lastFailure, h.lastSuccess = time.Time{}, time.Time{}, run.At
	case !h.failed:
		h.firstFailure, h.lastFailure = run.At, run.At
	default:
		h.lastFailure = run.At
	}
	h.ran, h.failed, h.output = true, failed, strings.ReplaceAll(run.Output, "\x00", "")
}

// monTime returns a time as mon writes it: 0 for none.
func monTime(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return strconv.FormatInt(t.Unix(), 10)
}

// SpeaksForAll reports whether one run of the program is about all servers of the
// service.
func (s External) SpeaksForAll() bool {
	return s.Style == StyleMon && (s.Together || s.Host == HostNone)
}

// ranMon notes a run of a monitor, and reports it.
func (p *externalProber) ranMon(e *Ended) {
	run := MonRun{Service: p.settings.Subject.Service, At: time.Now(), Status: e.Status, Output: string(e.Output) + string(e.Errors), Environment: p.settings.Environment}
	p.history.add(&run)
	if p.onRun != nil {
		p.onRun(run)
	}
}
