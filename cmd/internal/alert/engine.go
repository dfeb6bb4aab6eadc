package alert

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"holdfast/cmd/internal/event"
)

// closedStep is how often a rule looks whether its period has begun.
const closedStep = time.Minute

// An Engine turns events into notices. It belongs to one goroutine.
type Engine struct {
	rules   []*ruleState
	failing map[subject]failure // everything that fails, whether or not a rule is about it
	exists  func(kind, name string) bool
	runs    map[string]history // by the name of the service
	// doubtUntil is when failures of another run are not believed any more; zero:
	// there are none.
	doubtUntil time.Time
	calls      []Notice // that the next Take returns
}

// A failure is since when a subject fails, and why.
type failure struct {
	since  time.Time
	reason string
	// doubt: another run has seen it, and this one not yet.
	doubt bool
}

type ruleState struct {
	Rule
	problems map[subject]*problem
	told     map[subject]bool // whose recovery was told, and no failure since; with Unpaired
	batch    time.Time        // when the notice that gathers is made; zero: none gathers
}

// New returns an Engine without rules.
func New() *Engine {
	return &Engine{failing: map[subject]failure{}, runs: map[string]history{}, exists: func(string, string) bool { return true }}
}

// SetExists says which subjects there are from now on. A subject that is gone, like
// a server that a reload removed, does not fail any more: nothing else would ever end
// its problems. Events of it are ignored.
func (e *Engine) SetExists(now time.Time, exists func(kind, name string) bool) {
	e.exists = exists
	maps.DeleteFunc(e.runs, func(service string, _ history) bool { return !exists(event.KindService, service) })
	for s := range e.failing {
		if !exists(s.Kind, s.Name) {
			e.note(s, false, now, "")
		}
	}
	for _, r := range e.rules {
		for s, p := range r.problems {
			if p.failing && !exists(s.Kind, s.Name) {
				p.recover(&r.Rule, now)
			}
		}
	}
}

// Configure replaces the rules. A rule with the name of a former one keeps the
// problems that it is still about. What fails already is a problem of new rules too.
func (e *Engine) Configure(rules []Rule) {
	former := e.rules
	e.rules = nil
	for _, r := range rules {
		state := &ruleState{Rule: r, problems: map[subject]*problem{}, told: map[subject]bool{}}
		for _, f := range former {
			if f.Name != r.Name {
				continue
			}
			state.batch, state.told = f.batch, f.told
			for s, p := range f.problems {
				if r.concerns(s) {
					state.problems[s] = p
				}
			}
		}
		for s, f := range e.failing {
			if r.hears(s) {
				state.note(s, true, f.since, f.reason)
			}
		}
		e.rules = append(e.rules, state)
	}
}

// Handle takes an event in.
func (e *Engine) Handle(ev *event.Event) {
	failing, known := Failing(ev)
	if known && (!failing || e.exists(ev.Kind, ev.Subject)) {
		e.note(subjectOf(ev), failing, ev.At, ev.Reason)
	}
}

// note takes the state of a subject in, for all rules that are about it.
func (e *Engine) note(s subject, failing bool, at time.Time, reason string) {
	known, was := e.failing[s]
	switch {
	case !failing:
		delete(e.failing, s)
	case !was:
		e.failing[s] = failure{since: at, reason: reason}
	case known.doubt:
		known.doubt = false
		e.failing[s] = known
	}
	for _, r := range e.rules {
		if r.hears(s) || !failing && !e.exists(s.Kind, s.Name) {
			r.note(s, failing, at, reason)
		}
	}
}

// note takes the state of a subject in.
func (r *ruleState) note(s subject, failing bool, at time.Time, reason string) {
	p := r.problems[s]
	switch {
	case failing && p == nil:
		p = &problem{subject: s}
		r.problems[s] = p
		p.fail(&r.Rule, at, reason)
	case failing && !p.failing:
		p.fail(&r.Rule, at, reason)
	case failing:
		p.reason = cmp.Or(reason, p.reason)
	case p != nil && p.failing:
		p.recover(&r.Rule, at)
		r.forget(p, at)
	}
}

// Failed counts a failed check of a server that is down. The rules that wait for
// several failures need it. It reports whether that can lead to a notice.
func (e *Engine) Failed(server string, at time.Time, reason string) (look bool) {
	s := subject{Kind: event.KindServer, Name: server}
	for _, r := range e.rules {
		if p := r.problems[s]; p != nil && p.failing && r.After > 1 {
			before := p.enough(&r.Rule)
			p.fail(&r.Rule, at, reason)
			look = look || !before
		}
	}
	return look
}

// Counts reports whether a rule wants to know of failed checks.
func (e *Engine) Counts() bool {
	return slices.ContainsFunc(e.rules, func(r *ruleState) bool { return r.After > 1 })
}

func (r *ruleState) forget(p *problem, now time.Time) {
	if p.over(&r.Rule, now) {
		delete(r.problems, p.subject)
	}
}

// Take returns the notices that are due, and when to call it next; the zero time if
// only an event can lead to a notice. Call it after each event too.
func (e *Engine) Take(now time.Time) (notices []Notice, next time.Time) {
	next = e.settle(now)
	notices, e.calls = e.calls, nil
	for _, r := range e.rules {
		due, later := e.dueIn(r, now)
		if len(due) > 0 && r.batch.IsZero() {
			r.batch = now.Add(r.Gather)
		}
		switch {
		case len(due) == 0:
			r.batch = time.Time{}
		case r.batch.After(now):
			later = earlier(later, r.batch)
		default:
			r.batch = time.Time{}
			notices = append(notices, r.notice(due, now))
			_, later = e.dueIn(r, now)
		}
		next = earlier(next, later)
	}
	return notices, next
}

// dueIn returns the problems of a rule that are due, and when the next will be.
func (e *Engine) dueIn(r *ruleState, now time.Time) (due []*problem, next time.Time) {
	open := r.Open == nil || r.Open(now)
	quiet := e.quiet(r)
	for _, p := range r.problems {
		r.forget(p, now)
		at, ok := p.due(&r.Rule)
		switch {
		case !ok:
		case at.After(now):
			next = earlier(next, at)
		case !open:
			next = earlier(next, now.Add(closedStep))
		case !quiet.about(p): // else the recovery of the other is an event
			due = append(due, p)
		}
	}
	return due, next
}

// earlier returns the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// notice makes one notice of all that is due.
func (r *ruleState) notice(due []*problem, now time.Time) Notice {
	n := Notice{Rule: r.Name, At: now}
	for _, p := range due {
		if !p.failing {
			n.Up = append(n.Up, p.entry())
			if r.Unpaired {
				r.told[p.subject] = true
			}
			p.recovery, p.notices = false, 0
			r.forget(p, now)
			continue
		}
		p.count(now)
		delete(r.told, p.subject)
		n.Down = append(n.Down, p.entry())
	}
	sortEntries(n.Down)
	sortEntries(n.Up)
	return n
}

// ErrNothing says that no problem matches.
var ErrNothing = errors.New("no rule for alerts reports a failure")

// An Ack is an acknowledgement.
type Ack struct {
	By      string // who has acknowledged
	Comment string // what that person says about it; "": nothing
}

// String returns "ann", or "ann: a new disk is on its way".
func (a Ack) String() string {
	if a.Comment == "" {
		return a.By
	}
	return a.By + ": " + a.Comment
}

// Ack acknowledges the problems whose subject a pattern means: they make no more
// notices until they are over. It returns the subjects, sorted. Call Take after it.
func (e *Engine) Ack(pattern string, ack Ack, now time.Time) ([]string, error) {
	var names []string
	ack.By = cmp.Or(ack.By, "somebody")
	for _, r := range e.rules {
		var found []*problem
		for s, p := range r.problems {
			if p.failing && Matches(pattern, s.Name) {
				p.acked = ack
				names = append(names, s.Name)
				found = append(found, p)
			}
		}
		e.acknowledged(r, found, ack, now)
	}
	if names == nil {
		return nil, ErrNothing
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// An Open is a failure that a rule is about, for status.
type Open struct {
	Entry
	Rule  string
	Acked Ack // the zero Ack: nobody has
}

// Open returns the failures of all rules, sorted by rule and subject.
func (e *Engine) Open() []Open {
	var all []Open
	for _, r := range e.rules {
		var entries []Open
		for _, p := range r.problems {
			if p.failing && !p.lapsed {
				entries = append(entries, Open{p.entry(), r.Name, p.acked})
			}
		}
		slices.SortFunc(entries, func(a, b Open) int { return compareEntries(a.Entry, b.Entry) })
		all = append(all, entries...)
	}
	return all
}
