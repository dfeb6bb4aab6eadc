package alert

import (
	"strings"
	"time"

	"holdfast/cmd/internal/event"
)

// A Pace says what makes a rule look whether a message is due.
type Pace string

// The paces.
const (
	PaceClock Pace = "clock" // events, and the time
	// PaceCheck is the pace of mon: a message goes out at a failed run of a monitor,
	// and at no other time. A rule of this pace is about services, and hears of their
	// monitors only. Its Every is in whole seconds, 0: at every failed run.
	PaceCheck Pace = "check"
	// PaceRun passes each run of a monitor on to the program, failed or not.
	PaceRun Pace = "run"
)

// A Change says which change of a failure is told before Every is over.
type Change string

// The changes.
const (
	ChangeNone    Change = "none"
	ChangeSummary Change = "summary" // of the first line that the monitor prints
	ChangeOutput  Change = "output"  // of anything that it prints
)

// A Run is one run of a monitor that asks for all servers of a service.
type Run struct {
	Service string
	At      time.Time // when it ended
	Status  int       // of exit(3); 0: all are well
	Output  string
	// Hosts are the servers of the service, and Environment has the variables that
	// the configuration gives the monitor.
	Hosts, Environment []string
	// Source is what has reported it, and Intended the GROUP:SERVICE of a trap that
	// was for a service that does not exist.
	Source   Source
	Intended string
}

// A Source is what reports a run.
type Source string

// The sources.
const (
	FromMonitor     Source = ""
	FromTrap        Source = "trap"        // a trap of mon has arrived
	FromTrapTimeout Source = "traptimeout" // none has arrived for some time
)

// summary returns the first line of the output.
func (r *Run) summary() string {
	line, _, _ := strings.Cut(r.Output, "\n")
	if line = strings.TrimSpace(line); line == "" {
		return "(NO SUMMARY)"
	}
	return line
}

// A history is what is known of the earlier runs of a monitor, as mon tells its
// alerts. The times are zero until there was such a run.
type history struct {
	before                                 *Run
	firstFailure, lastFailure, lastSuccess time.Time
}

// Ran takes a run of a monitor in. Call Take after it.
func (e *Engine) Ran(run *Run) {
	s := subject{Kind: event.KindService, Name: run.Service}
	if !e.exists(s.Kind, s.Name) {
		return
	}
	h := e.runs[run.Service]
	if run.Status != 0 {
		h.lastFailure = run.At
		if h.before == nil || h.before.Status == 0 {
			h.firstFailure = run.At
		}
	}
	told := h.told(run)
	for _, r := range e.rules {
		switch {
		case r.isClock() || !r.concerns(s):
		case r.Pace == PaceRun:
			e.passOn(r, s, run, told)
		default:
			e.ran(r, s, run, told)
		}
	}
	if run.Status == 0 {
		h.firstFailure, h.lastFailure, h.lastSuccess = time.Time{}, time.Time{}, run.At
	}
	h.before = run
	e.runs[run.Service] = h
}

// told returns what an alert of a run is told. That of a recovery has the text of the
// last failure.
func (h *history) told(run *Run) *event.Run {
	t := &event.Run{
		Hosts: run.Hosts, Environment: run.Environment, Status: run.Status, Output: run.Output, Summary: run.summary(),
		FirstFailure: h.firstFailure, LastFailure: h.lastFailure, LastSuccess: h.lastSuccess,
		Source: string(run.Source), Intended: run.Intended,
	}
	switch {
	case h.before == nil:
		t.First = run.Status == 0
	case run.Status == 0:
		t.Before = &h.before.Output
		t.Output, t.Summary = h.before.Output, h.before.summary()
		if h.before.Status == 0 && h.before.Output == "" { // mon knows no summary then
			t.Summary = ""
		}
	default:
		t.Before = &h.before.Output
	}
	return t
}

// ran takes a run in for one rule.
func (e *Engine) ran(r *ruleState, s subject, run *Run, told *event.Run) {
	p := r.problems[s]
	open := r.Open == nil || r.Open(run.At)
	if run.Status == 0 {
		if p != nil && p.failing {
			p.told = told
			p.recover(&r.Rule, run.At)
			p.recovery = p.recovery && open && !r.told[s]
		} else if p != nil && p.started {
			delete(r.problems, s)
		}
		return
	}
	if p == nil {
		p = &problem{subject: s}
		r.problems[s] = p
	}
	before := p.told
	p.fail(&r.Rule, run.At, told.Summary)
	p.told, p.lapsed = told, false
	if r.AckUntilChange && p.acked != (Ack{}) && before != nil && !sameWords(before.Summary, told.Summary) {
		p.unacknowledge(run.At)
	}
	p.ready = open && p.acked == Ack{} && !e.quiet(r).about(p) && p.paced(&r.Rule, run.At, before)
	if p.ready && len(r.Exit) > 0 && !r.Exit.has(run.Status) {
		p.ready = false
		if r.OtherExit.has(run.Status) {
			p.count(run.At)
		}
	}
}

// unacknowledge ends an acknowledgement, and counts the failure anew.
func (p *problem) unacknowledge(now time.Time) {
	p.acked, p.failures, p.last, p.held = Ack{}, 1, time.Time{}, now
	p.counted, p.window = 0, time.Time{}
}

// sameWords reports whether two lines differ in their blanks at most.
func sameWords(a, b string) bool {
	return strings.Join(strings.Fields(a), "") == strings.Join(strings.Fields(b), "")
}

// Lapse ends what a trap has reported, because its time is over. Nobody is told. A
// failure after it begins a new one for those who ask since when the service fails.
func (e *Engine) Lapse(service string) {
	s := subject{Kind: event.KindService, Name: service}
	if h, ok := e.runs[service]; ok && h.before != nil && h.before.Status != 0 {
		quiet := *h.before
		quiet.Status = 0
		h.before = &quiet
		e.runs[service] = h
	}
	for _, r := range e.rules {
		if p := r.problems[s]; p != nil && p.failing && r.Pace == PaceCheck {
			p.lapsed, p.ready = true, false
		}
	}
}

// paced reports whether a failed run is told, as mon decides it (do_alert). It keeps
// the window of After within Within. before is what the run before it said, nil for
// the first of the failure.
func (p *problem) paced(r *Rule, now time.Time, before *event.Run) bool {
	switch {
	case r.Limit > 0 && p.notices >= r.Limit:
		return false
	case r.Every > 0 && seconds(p.last, now) < int64(r.Every/time.Second) && !p.changed(r.Change, before):
		return false
	case r.Within > 0:
		return p.windowed(r, now)
	case r.Hold > 0:
		return seconds(later(p.since, p.held), now) > int64(r.Hold/time.Second)
	}
	return p.failures >= r.After
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// windowed counts a failure for After within Within. The count begins anew when the
// time is over.
func (p *problem) windowed(r *Rule, now time.Time) bool {
	p.counted++
	if seconds(p.window, now) > int64(r.Within/time.Second) {
		p.counted, p.window = 1, now
	}
	return p.counted >= r.After
}

func (p *problem) changed(c Change, before *event.Run) bool {
	switch {
	case before == nil:
		return false
	case c == ChangeSummary:
		return before.Summary != p.told.Summary
	case c == ChangeOutput:
		return before.Output != p.told.Output
	}
	return false
}

// seconds returns the whole seconds of the clock from one time to another. mon counts
// so too.
func seconds(from, to time.Time) int64 {
	if from.IsZero() {
		return to.Unix()
	}
	return to.Unix() - from.Unix()
}
