package alert

import (
	"time"

	"holdfast/cmd/internal/event"
)

// A Call is why a program is called for something that is no new failure and no
// recovery. Only programs get such a notice.
type Call string

// The calls.
const (
	CallStartup Call = "startup" // the daemon has started; mon: startupalert
	CallAck     Call = "ack"     // somebody has acknowledged the failure; mon: ackalert
	CallRun     Call = "run"     // a monitor has run, with PaceRun; mon: redistribute
)

// Start makes the notices of a start of the daemon, or of a reload. The runs say which
// services have a monitor of mon, and what its alerts are told.
func (e *Engine) Start(now time.Time, reload bool, monitors []Run) {
	for _, r := range e.rules {
		if !r.Startup || reload && !r.StartupOnReload {
			continue
		}
		n := Notice{Rule: r.Name, At: now, Call: CallStartup}
		open := r.Pace == PaceRun || r.Open == nil || r.Open(now)
		for i := range monitors {
			m := &monitors[i]
			s := subject{Kind: event.KindService, Name: m.Service}
			if !open || r.Pace == PaceClock || !r.concerns(s) {
				continue
			}
			told := &event.Run{Hosts: m.Hosts, Environment: m.Environment, First: true}
			n.Down = append(n.Down, Entry{Kind: s.Kind, Subject: s.Name, Since: now, Told: told})
			if r.Pace == PaceCheck {
				r.started(s, now)
			}
		}
		if open && (len(n.Down) > 0 || r.Pace == PaceClock) {
			sortEntries(n.Down)
			e.calls = append(e.calls, n)
		}
	}
}

// started notes that the program of the start was called. mon counts that as an alert.
func (r *ruleState) started(s subject, now time.Time) {
	p := r.problems[s]
	if p == nil {
		p = &problem{subject: s, started: true}
		r.problems[s] = p
	}
	p.count(now)
}

// acknowledged makes the notice of an acknowledgement, of those of the problems that
// somebody was told of.
func (e *Engine) acknowledged(r *ruleState, all []*problem, ack Ack, now time.Time) {
	if !r.Acks {
		return
	}
	n := Notice{Rule: r.Name, At: now, Call: CallAck, Ack: ack}
	open := r.Pace == PaceRun || r.Open == nil || r.Open(now)
	quiet := e.quiet(r)
	for _, p := range all {
		if open && (p.notices > 0 || r.Unpaired) && !quiet.about(p) {
			n.Down = append(n.Down, p.entry())
			if r.Pace == PaceCheck {
				p.count(now) // mon counts it as an alert
			}
		}
	}
	if len(n.Down) > 0 {
		sortEntries(n.Down)
		e.calls = append(e.calls, n)
	}
}

// passOn makes the notice of a run for a rule with PaceRun.
func (e *Engine) passOn(r *ruleState, s subject, run *Run, told *event.Run) {
	n := Notice{Rule: r.Name, At: run.At, Call: CallRun}
	entry := Entry{Kind: s.Kind, Subject: s.Name, Reason: told.Summary, Since: run.At, Told: told}
	if run.Status == 0 {
		n.Up = append(n.Up, entry)
	} else {
		n.Down = append(n.Down, entry)
	}
	e.calls = append(e.calls, n)
}
