package resource

import (
	"fmt"
	"time"
)

// Done takes the result of the job that runs; "" is success.
func (c *Chain) Done(now time.Time, problem string) {
	e := c.running
	if e == nil {
		return
	}
	a := e.Job
	c.running, e.Job = nil, ""
	switch {
	case e.unsure:
		c.learnt(now, e, a, problem)
	case a == Look:
		c.looked(now, e, problem)
	case a == Start:
		c.ended(now, e, problem)
	case e.broken:
		c.cleared(now, e, problem)
	case problem == "":
		e.Failures, e.Problem, e.pauseTo = 0, "", time.Time{}
		c.become(now, e, Stopped, "")
	default:
		c.notStopped(now, e, problem)
	}
}

// Broken takes the result of a job that the daemon broke off. A start that was broken off
// is no failure of the resource; what is left of it is stopped.
func (c *Chain) Broken(now time.Time, problem string) {
	if e := c.running; e != nil && e.Job == Start && !e.unsure && problem != "" {
		e.Failures--
	}
	c.Done(now, problem)
}

// learnt takes what was asked, or the end of what a former process began. It is no
// failure if the resource does not run: nobody knew. A stop that a former process began
// is begun again.
func (c *Chain) learnt(now time.Time, e *entry, a Action, problem string) {
	switch {
	case a != Look:
		e.unsure = e.Watched // now it can be asked
	case problem == "":
		e.unsure = false
		c.become(now, e, Started, "it runs")
	default:
		e.unsure = false
		c.become(now, e, Stopped, "it does not run: "+problem)
	}
}

// looked takes the answer of a resource that was asked whether it runs.
func (c *Chain) looked(now time.Time, e *entry, problem string) {
	e.Looked = now
	switch {
	case problem != "":
		c.fail(now, e, problem)
	case e.Failures > 0 && now.Sub(e.Since) >= max(e.RetryAfter, calm):
		e.Failures = 0
	}
}

// calm is how long a resource must run, at least, until its failures are forgotten.
const calm = time.Minute

// ended takes the result of a start.
func (c *Chain) ended(now time.Time, e *entry, problem string) {
	if problem != "" {
		c.fail(now, e, problem)
		return
	}
	e.Problem, e.pauseTo = "", time.Time{}
	if e.Interval == 0 {
		e.Failures = 0 // nobody will see it dead
	}
	c.become(now, e, Started, "")
}

// fail takes a failed start, or that a resource was found dead.
func (c *Chain) fail(now time.Time, e *entry, problem string) {
	e.Failures++
	e.Problem, e.broken, e.pauseTo = problem, true, time.Time{}
	c.become(now, e, Stopping, problem)
}

// cleared takes the result of stopping what was left of a resource that failed.
func (c *Chain) cleared(now time.Time, e *entry, problem string) {
	e.broken = false
	if problem != "" {
		e.Problem += "; and what is left of it cannot be stopped: " + problem
	}
	if e.Failures <= e.Retries {
		e.pauseTo = now.Add(pause)
		c.become(now, e, Stopped, "")
		return
	}
	if e.RetryAfter > 0 {
		e.RetryAt = now.Add(e.RetryAfter)
	}
	c.become(now, e, Failed, fmt.Sprintf("after %d attempts: %s", e.Failures, e.Problem))
}

func (c *Chain) notStopped(now time.Time, e *entry, problem string) {
	e.Failures++
	e.Problem = problem
	if e.Failures > e.Retries {
		c.become(now, e, Stuck, fmt.Sprintf("after %d attempts: %s", e.Failures, problem))
		return
	}
	e.pauseTo = now.Add(pause)
	c.become(now, e, Stopping, problem)
}

// become changes the state of a resource. A failure that leaves the state is a change
// too.
func (c *Chain) become(now time.Time, e *entry, s State, reason string) {
	if e.State == s && reason == "" {
		return
	}
	c.changes = append(c.changes, Change{e.Name, e.State, s, reason})
	if e.State != s {
		e.State, e.Since = s, now
	}
}
