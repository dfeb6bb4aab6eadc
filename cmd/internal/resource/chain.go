package resource

import (
	"fmt"
	"reflect"
	"slices"
	"time"
)

// A Wish is how far the resources of a group are to be up.
type Wish uint8

// The wishes.
const (
	// Hold: nothing is started or stopped, because nobody knows yet who is MASTER.
	Hold Wish = iota
	// None: nothing runs.
	None
	// Yield: the group leaves, or is about to. Of what runs, only the resources stay that
	// run before the addresses and may run on two directors at once.
	Yield
	// Early: only the resources that run before the addresses.
	Early
	// All: everything runs.
	All
)

// A State is what a resource is as far as is known.
type State string

// The states.
const (
	Stopped  State = "stopped"
	Starting State = "starting"
	Started  State = "started"
	Stopping State = "stopping"
	// Failed: it could not be started, or was found dead, and no attempt is left.
	Failed State = "failed"
	// Stuck: it could not be stopped, and may still run.
	Stuck State = "stuck"
)

// A Spec is what a Chain knows of a resource.
type Spec struct {
	Name       string
	Early      bool // it runs before the addresses
	Exclusive  bool // with Early: it must not run on two directors at once
	Faults     bool // its failure is a fault of the group
	Runner     Runner
	Watched    bool // it can be asked whether it runs
	Interval   time.Duration
	Retries    int
	RetryAfter time.Duration // 0: only Retry tries again
}

// An Action is what a job does with a resource.
type Action string

// The actions.
const (
	Start Action = "start"
	Stop  Action = "stop"
	Look  Action = "status"
)

// A Job is one action that is to be run now.
type Job struct {
	Name   string
	Action Action
	Runner Runner
	// Outlives is set for a job that a former process of the daemon began: it is to
	// be waited for, not begun.
	Outlives bool
}

// A Change is a resource whose state has changed.
type Change struct {
	Name     string
	From, To State
	Reason   string // why, for people
}

// Standing is what there is to know of a resource.
type Standing struct {
	Spec
	State    State
	Since    time.Time
	Problem  string // the last failure; "" after a success
	Failures int    // in a row
	Job      Action // that runs; "": none
	Looked   time.Time
	RetryAt  time.Time // when a failed one is tried again; zero: never by itself
}

// entry is a resource in its chain.
type entry struct {
	Standing
	gone    bool      // the configuration does not have it any more: it is stopped and forgotten
	anew    bool      // it changed: it is stopped, and started with its new settings
	next    Spec      // with anew: the new settings
	unsure  bool      // a former run left it: it is to be asked first
	broken  bool      // its start failed, or it was found dead: what is left of it is to be stopped
	pauseTo time.Time // no attempt before
}

// A Chain is the resources of one group in the order of their start.
type Chain struct {
	entries []*entry
	wish    Wish
	running *entry // whose job runs
	waiting bool   // the job that runs outlives the process that began it
	closed  bool   // nothing is started any more
	changes []Change
}

// pause is the time between two attempts to start or stop a resource.
const pause = 2 * time.Second

// SetWish says how far the resources are to be up. With a new MASTER, those that failed
// are tried anew.
func (c *Chain) SetWish(now time.Time, w Wish) {
	if c.wish == None && w > None {
		c.Retry(now)
	}
	c.wish = w
}

// Close has nothing started any more: the daemon stops.
func (c *Chain) Close() { c.closed = true }

// Wish returns what SetWish said last.
func (c *Chain) Wish() Wish { return c.wish }

// Apply takes over the resources of a configuration. One that runs with another Runner
// is stopped as it was started, and started again. One that is not in the list is
// stopped. Early ones come before the others in the order, as they are started and
// stopped. Failures are forgotten: whoever reloads wants a new attempt.
func (c *Chain) Apply(now time.Time, list []Spec) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Spec) int {
		switch {
		case a.Early == b.Early:
			return 0
		case a.Early:
			return -1
		}
		return 1
	})
	var entries []*entry
	for _, s := range list {
		e := c.entry(s.Name)
		switch {
		case e == nil:
			e = &entry{Standing: Standing{Spec: s, State: Stopped, Since: now}}
		case !e.down() && !reflect.DeepEqual(e.Runner, s.Runner):
			e.anew, e.next = true, s
		default:
			e.Spec, e.anew = s, false
		}
		e.gone = false
		entries = append(entries, e)
	}
	for _, e := range c.entries {
		if !slices.Contains(entries, e) && (!e.down() || e == c.running) {
			e.gone = true
			entries = append(entries, e) // last in the order: it is stopped first
		}
	}
	c.entries = entries
	c.Retry(now)
}

// Retry forgets failures: everything is tried anew.
func (c *Chain) Retry(now time.Time) {
	for _, e := range c.entries {
		e.Failures, e.pauseTo, e.RetryAt = 0, time.Time{}, time.Time{}
		switch e.State {
		case Failed:
			c.become(now, e, Stopped, triedAnew)
		case Stuck:
			c.become(now, e, Stopping, triedAnew)
		}
	}
}

// Adopt takes over what a former process knew of a resource, after the first Apply and
// before the first Step. It reports false if there is no such resource any more. A job
// that the former process left behind outlives it.
func (c *Chain) Adopt(now time.Time, s Saved) bool {
	e := c.entry(s.Name)
	if e == nil {
		return false
	}
	e.State, e.Since, e.Failures, e.Problem = s.State, s.Since, s.Failures, s.Problem
	if s.State == Failed && e.RetryAfter > 0 {
		e.RetryAt = now.Add(e.RetryAfter)
	}
	if s.PID != 0 {
		c.running, c.waiting, e.Job = e, true, s.Action
	}
	e.unsure = s.Crashed || s.PID != 0 || s.State == Starting
	return true
}

// triedAnew is the reason of a change that nothing but time or a reload caused.
const triedAnew = "it is tried anew"

func (c *Chain) entry(name string) *entry {
	for _, e := range c.entries {
		if e.Name == name {
			return e
		}
	}
	return nil
}

// wanted reports whether a resource is to run.
func (c *Chain) wanted(e *entry) bool {
	return !e.gone && !e.anew && (c.wish == All || c.wish == Early && e.Early || c.wish == Yield && e.Early && !e.Exclusive && !e.down())
}

// Step returns the job that is to run now; false: none, or one runs already.
func (c *Chain) Step(now time.Time) (Job, bool) {
	if c.running != nil {
		if c.waiting {
			c.waiting = false
			return Job{Name: c.running.Name, Action: c.running.Job, Runner: c.running.Runner, Outlives: true}, true
		}
		return Job{}, false
	}
	c.forget()
	for _, next := range []func(time.Time) (*entry, Action){c.toAsk, c.toStop, c.toStart, c.toWatch} {
		if e, a := next(now); e != nil {
			c.begin(now, e, a)
			return Job{Name: e.Name, Action: a, Runner: e.Runner}, true
		}
	}
	return Job{}, false
}

// forget removes what is not configured any more and has stopped.
func (c *Chain) forget() {
	c.entries = slices.DeleteFunc(c.entries, func(e *entry) bool {
		return e.gone && (e.down() || e.State == Stuck)
	})
	for _, e := range c.entries {
		if e.anew && (e.down() || e.State == Stuck) {
			e.Spec, e.anew = e.next, false
		}
	}
}

func (c *Chain) begin(now time.Time, e *entry, a Action) {
	c.running, e.Job = e, a
	switch a {
	case Start:
		c.become(now, e, Starting, "")
	case Stop:
		c.become(now, e, Stopping, "")
	}
}

// toAsk returns a resource of which a former run leaves it open whether it runs. One
// that cannot be asked counts as what it was.
func (c *Chain) toAsk(time.Time) (*entry, Action) {
	if c.wish == Hold {
		return nil, ""
	}
	for _, e := range c.entries {
		if e.unsure && e.Watched && c.wanted(e) && !e.down() {
			return e, Look
		}
		e.unsure = false
	}
	return nil, ""
}

// down reports whether nothing of a resource runs.
func (e *entry) down() bool { return e.State == Stopped || e.State == Failed }

// toBeStopped reports whether a resource, or what is left of it, has to be stopped.
func (c *Chain) toBeStopped(e *entry) bool {
	return e.broken || c.wish != Hold && !c.wanted(e) && !e.down() && e.State != Stuck
}

// Unwanted reports whether a start runs that nobody wants any more.
func (c *Chain) Unwanted() bool {
	return c.running != nil && c.running.Job == Start && (c.closed || c.toBeStopped(c.running))
}

// toStop returns the last resource that has to be stopped. Those before it in the order
// wait until it has stopped, or has been given up.
func (c *Chain) toStop(now time.Time) (*entry, Action) {
	for _, e := range slices.Backward(c.entries) {
		if !c.toBeStopped(e) {
			continue
		}
		if now.Before(e.pauseTo) {
			return nil, ""
		}
		return e, Stop
	}
	return nil, ""
}

// toStart returns the first resource that is to be started. The ones after it wait for
// it until it runs or no attempt is left. Nothing starts while something is to be
// stopped.
func (c *Chain) toStart(now time.Time) (*entry, Action) {
	for _, e := range c.entries {
		if e.State == Failed && due(e.RetryAt, now) {
			e.Failures, e.RetryAt = 0, time.Time{}
			c.become(now, e, Stopped, triedAnew)
		}
	}
	if c.closed || c.wish == Hold || slices.ContainsFunc(c.entries, c.toBeStopped) {
		return nil, ""
	}
	for _, e := range c.entries {
		if !c.wanted(e) || e.State == Started || e.State == Failed {
			continue
		}
		if now.Before(e.pauseTo) {
			return nil, ""
		}
		return e, Start
	}
	return nil, ""
}

// due reports whether a time is set and has come.
func due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// toWatch returns a resource that is to be asked whether it still runs.
func (c *Chain) toWatch(now time.Time) (*entry, Action) {
	for _, e := range c.entries {
		if due(e.lookAt(), now) {
			return e, Look
		}
	}
	return nil, ""
}

// lookAt returns when a resource is to be asked next; zero: never.
func (e *entry) lookAt() time.Time {
	if !e.Watched || e.Interval == 0 || e.State != Started {
		return time.Time{}
	}
	from := e.Since
	if e.Looked.After(from) {
		from = e.Looked
	}
	return from.Add(e.Interval)
}

// Changes returns what changed since the last call.
func (c *Chain) Changes() []Change {
	list := c.changes
	c.changes = nil
	return list
}

// Deadline returns when Step must be called again after it had no job; zero: not
// because of the time.
func (c *Chain) Deadline(now time.Time) time.Time {
	var d time.Time
	if c.running != nil {
		return d
	}
	for _, e := range c.entries {
		for _, at := range []time.Time{e.pauseTo, e.RetryAt, e.lookAt()} {
			if at.After(now) && (d.IsZero() || at.Before(d)) {
				d = at
			}
		}
	}
	return d
}

// Ready reports whether the addresses need not wait any longer: every early resource
// runs, or no attempt is left.
func (c *Chain) Ready() bool {
	return c.wish > None && !slices.ContainsFunc(c.entries, func(e *entry) bool {
		return e.Early && !e.gone && (e.unsure || e.State != Started && e.State != Failed)
	})
}

// Settled reports whether nothing is left to be done for the present wish.
func (c *Chain) Settled() bool {
	return c.running == nil && !slices.ContainsFunc(c.entries, func(e *entry) bool {
		return c.toBeStopped(e) || !c.closed && c.wanted(e) && e.State != Started && e.State != Failed
	})
}

// Fault returns why the group must not be MASTER; "": nothing speaks against it.
func (c *Chain) Fault() string {
	for _, e := range c.entries {
		if e.State == Failed && e.Faults && !e.gone {
			return fmt.Sprintf("resource %s does not run: %s", e.Name, e.Problem)
		}
	}
	return ""
}

// Standings returns all resources in the order of their start.
func (c *Chain) Standings() []Standing {
	list := make([]Standing, len(c.entries))
	for i, e := range c.entries {
		list[i] = e.Standing
	}
	return list
}
