package checker

import (
	"context"
	"strconv"
	"time"

	"holdfast/checker/health"
	"holdfast/checker/probe"
	"holdfast/vrrp/due"
)

// keptFailures is how many failures a question remembers.
const keptFailures = 5

// spread is the time over which first attempts are spread, so that every
// server is known soon, and the shortest gap between a first attempt and a
// second one that is moved to spread the rest over the whole interval.
const spread = time.Second

// grain is the grid on which beats fall. Intervals are multiples of it as a
// rule, so that the attempts of one grain begin in one wakening.
const grain = 10 * time.Millisecond

// A question is what is asked of one server at one pace, for one or more
// subjects. Its Set's lock guards it.
type question struct {
	cfg      Config // of the subject that came first
	prober   probe.Prober
	subjects []*subject
	ctx      context.Context // ends when nobody asks any more
	cancel   context.CancelFunc

	// The schedule. A beat is when the next attempt is due by it; at is when
	// the attempt will begin, which Force puts earlier.
	at, beat time.Time
	timer    due.Item[*question] // in the Set's queue, which it leaves while an attempt runs
	running  bool
	offbeat  bool    // the running attempt began before its beat
	settle   float64 // in [0, 1): draws the first whole interval; negative once it has been
	ended    time.Time
	waiters  []chan Result // want the next attempt's result
	served   []chan Result // want the running attempt's result

	// The results.
	answer   Result     // the latest conclusive one
	run      health.Run // the latest conclusive ones
	excused  bool       // the latest one was put down to a stall of this process
	last     Result
	failures []Result // newest first
	counts   Counts
	maxLate  time.Duration
}

// A subject is one Config of the Set: who wants the answer to a question.
type subject struct {
	cfg      Config
	question *question // nil if its check asks nobody
	health   health.Health
	since    time.Time // of the verdict
}

// schedule begins the schedule of a new question, given two numbers in [0, 1).
// The beats lie on the grid of whole grains after epoch.
func (q *question) schedule(epoch, now time.Time, first, second float64) {
	jitter := time.Duration(first * float64(min(q.cfg.Interval, spread)))
	q.beat = epoch.Add((now.Sub(epoch) + jitter + grain - 1).Truncate(grain))
	q.at = q.beat
	q.settle = second
}

// begin notes that an attempt begins.
func (q *question) begin(now time.Time) {
	q.running = true
	q.offbeat = q.beat.After(now)
	q.served, q.waiters = q.waiters, nil
}

// late returns how much later than it could have the attempt began: the time
// that the previous one took beyond its beat is the server's doing.
func (q *question) late(begun time.Time) time.Duration {
	ready := q.at
	if q.ended.After(ready) {
		ready = q.ended
	}
	return max(begun.Sub(ready), 0)
}

// reschedule sets the next beat after an attempt that began and ended then.
// Beats are counted from beats, so that lateness does not add up; one that an
// attempt overran follows at once, further ones are left out.
func (q *question) reschedule(begun, ended time.Time) {
	gap, retry := q.gap()
	switch {
	case !q.offbeat:
		q.beat = q.beat.Add(gap)
		if q.beat.Before(ended) {
			q.counts.Overruns++
		}
	case retry && begun.Add(gap).Before(q.beat):
		q.beat = begun.Add(gap)
	}
	if behind := ended.Sub(q.beat); behind >= gap {
		q.beat = q.beat.Add(behind.Truncate(gap))
	}
	q.ended = ended
	q.at = q.beat
	if len(q.waiters) > 0 {
		q.at = ended
	}
}

// gap returns the time to the next beat, and whether that is the shorter one
// of a question that needs an answer.
func (q *question) gap() (gap time.Duration, retry bool) {
	if q.cfg.RetryInterval > 0 && q.pending() {
		return q.cfg.RetryInterval, true
	}
	gap = q.cfg.Interval
	if q.settle >= 0 && !q.offbeat {
		soonest := min(gap, spread)
		gap = soonest + time.Duration(q.settle*float64(gap-soonest)).Truncate(grain)
		q.settle = -1
	}
	return gap, false
}

func (q *question) pending() bool {
	if q.last.Inconclusive {
		return true
	}
	for _, s := range q.subjects {
		if s.health.Pending() {
			return true
		}
	}
	return false
}

// record takes in a result and reports whether it says something of the server.
func (q *question) record(r Result) (conclusive bool) {
	q.last = r
	q.counts.Attempts++
	switch {
	case r.Inconclusive:
		q.counts.Inconclusive++
		return false
	case r.OK:
		q.counts.Successes++
	default:
		q.counts.Failures++
		q.remember(r)
	}
	if q.run.Good != r.OK {
		q.run = health.Run{Good: r.OK}
	}
	q.answer = r
	q.run.Streak++
	return true
}

func (q *question) remember(r Result) {
	if len(q.failures) < keptFailures {
		q.failures = append(q.failures, Result{})
	}
	copy(q.failures[1:], q.failures)
	q.failures[0] = r
}

// verdict returns the Change that q's latest conclusive result makes for s.
func (s *subject) verdict(r Result) Change {
	first := s.since.IsZero()
	s.since = r.At
	c := Change{ID: s.cfg.ID, Up: s.health.State == health.Up, First: first, Reason: r.Reason, At: r.At, Took: r.Took}
	if c.Up {
		c.Reason = "answered"
		if n := s.health.Run.Streak; n > 1 {
			c.Reason += " " + strconv.Itoa(n) + " times in a row"
		}
	}
	return c
}
