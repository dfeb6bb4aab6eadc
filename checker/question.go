package checker

import (
	"math"
	"time"

	"holdfast/checker/health"
	"holdfast/checker/probe"
	"holdfast/vrrp/due"
)

// keptFailures is how many failures a question remembers.
const keptFailures = 5

// DefaultSpread is the time over which the first attempts of all questions are spread
// unless Pace says another. It is short, so that every server gets a verdict soon.
const DefaultSpread = time.Second

// settleAfter is how long after the first attempt the second one comes at least. Second
// attempts are spread over the whole interval.
const settleAfter = time.Second

// grain is the step of the grid on which slots lie. Attempts in one slot of the
// grid begin in one wake-up of the scheduler, and each wake-up has the runtime look after
// its threads for some milliseconds (sysmon).
const grain = 25 * time.Millisecond

// A question is a check of one server with one interval, for one or more subjects.
// The lock of its Set guards it. It is small, because there may be ten thousand of them.
type question struct {
	*extra           // never nil
	cfg      *Config // of the subject that came first; never changed
	prober   probe.Prober
	subjects []*subject

	// The schedule. slot is the regular time of the next attempt. at is when the
	// attempt will begin, which Force and a Watcher can make earlier; zero: only these
	// two make one begin.
	at, slot time.Time
	timer    due.Item[*question] // in the Set's queue, which it leaves while an attempt runs
	flight   *flight             // the running attempt, if the scheduler makes it itself; the scheduler's

	// The results.
	last      Result
	weight    *probe.Weight // of the latest good answer that said one
	good, bad uint64        // how many conclusive results
	overruns  uint64        // how many attempts took longer than the interval
	streak    int32         // how many of the latest conclusive ones were alike
	settle    float32       // in [0, 1): random number for the time of the second attempt; -1: used
	history   history
	maxLate   span

	over    bool // the last subject is gone
	running bool
	waiting bool // for a place: see places
	placed  bool // the running attempt has a place
	nudged  bool // the answer may be another than the running attempt finds
	early   bool // the running attempt began before its slot
	excused bool // the latest failure counted as a stall of this process
}

// A subject is one Config of the Set, with a verdict of its own.
type subject struct {
	cfg      *Config // never changed
	server   *server
	question *question // nil if its check asks nobody
	health   health.Health
	since    time.Time // of the verdict
	waitsFor string    // the Servers of a list of Config.Depends that are down; "": there is no such list
}

// schedule begins the schedule of a new question. first and second are random
// numbers in [0, 1), the first one of spread. Slots are whole grains after epoch.
func (q *question) schedule(epoch, now time.Time, spread time.Duration, first, second float64) {
	jitter := time.Duration(first * float64(min(q.cfg.Interval, spread)))
	q.slot = epoch.Add((now.Sub(epoch) + jitter + grain - 1).Truncate(grain))
	q.at = q.slot
	q.settle = float32(second)
}

// begin notes that an attempt begins.
func (q *question) begin(now time.Time) {
	q.running, q.nudged = true, false
	q.early = q.slot.After(now)
	if len(q.waiters)+len(q.served) > 0 {
		q.served, q.waiters = q.waiters, nil
	}
}

// late returns the delay that this process caused. If the previous attempt ran
// beyond the slot, that time is the server's and does not count.
func (q *question) late(begun time.Time) time.Duration {
	ready := q.at
	if previous := q.last.At; previous.After(ready) {
		ready = previous
	}
	return max(begun.Sub(ready), 0)
}

// reschedule sets the next slot after an attempt. A slot is counted from the slot
// before, so delays do not add up. If the attempt ran beyond the next slot, the
// next attempt begins at once; further slots that it ran over are skipped.
func (q *question) reschedule(begun, ended time.Time) {
	again := q.nudged || len(q.waiters) > 0
	if q.cfg.isTold() {
		q.at = time.Time{}
		if again {
			q.at = ended
		}
		return
	}
	gap, retry := q.gap()
	switch {
	case !q.early:
		q.slot = q.slot.Add(gap)
		if q.slot.Before(ended) {
			q.overruns++
		}
	case retry && begun.Add(gap).Before(q.slot):
		q.slot = begun.Add(gap)
	}
	if behind := ended.Sub(q.slot); behind >= gap {
		q.slot = q.slot.Add(behind.Truncate(gap))
	}
	q.at = q.slot
	if again {
		q.at = ended
	}
}

// idle returns why no attempt is to be made now; "" if one is to be made.
func (q *question) idle(now time.Time) string {
	if len(q.waiters) > 0 {
		return ""
	}
	asked, unknown := false, false
	for _, sub := range q.subjects {
		if sub.waitsFor == "" {
			asked = true
			unknown = unknown || sub.health.State == health.Unknown
		}
	}
	switch {
	case !asked:
		return notAsked(q.subjects[0].waitsFor)
	case !unknown && !q.period.Contains(now):
		return "outside its period"
	}
	return ""
}

// skip moves the slot to the next one after now.
func (q *question) skip(now time.Time) {
	gap := q.cfg.Interval
	q.slot = q.slot.Add(max(0, now.Sub(q.slot)).Truncate(gap) + gap)
	q.at = q.slot
}

// discard ends the use of what makes the attempts.
func (q *question) discard() {
	probe.Discard(q.prober)
	if q.connect != nil {
		probe.Discard(q.connect)
	}
}

// asker returns what makes the next attempt.
func (q *question) asker() probe.Prober {
	if q.connect != nil && q.turn > 0 {
		return q.connect
	}
	return q.prober
}

// took notes an attempt of the sequence that Config.NegotiateEvery makes: one whole
// question, then connections only. After a failure comes a whole question.
func (q *question) took(ok bool) {
	if q.connect == nil {
		return
	}
	if q.turn++; !ok || q.turn >= q.cfg.NegotiateEvery {
		q.turn = 0
	}
}

// gap returns the time to the next slot, and whether it is another than Interval.
func (q *question) gap() (gap time.Duration, other bool) {
	switch {
	case q.cfg.RetryInterval > 0 && q.pending():
		return q.cfg.RetryInterval, true
	case q.cfg.DownInterval > 0 && q.down():
		return q.cfg.DownInterval, true
	}
	gap = q.cfg.Interval
	if q.settle >= 0 && !q.early {
		soonest := min(gap, settleAfter)
		gap = soonest + time.Duration(float64(q.settle)*float64(gap-soonest)).Truncate(grain)
		q.settle = -1
	}
	return gap, false
}

// down reports whether the verdict on anybody that the question is about is down.
func (q *question) down() bool {
	for _, s := range q.subjects {
		if s.health.State == health.Down {
			return true
		}
	}
	return false
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

// record notes a result and reports whether it is conclusive.
func (q *question) record(r Result) (conclusive bool) {
	q.history.add(&r)
	if r.Unsent {
		q.own().unsent++
	}
	if r.Inconclusive {
		q.own().inconclusive++
		q.answer = q.answered()
		q.last = r
		return false
	}
	if q.answered().OK != r.OK {
		q.streak = 0
	}
	if q.streak < math.MaxInt32 {
		q.streak++
	}
	q.last = r
	if !r.OK {
		q.bad++
		q.remember(r)
		return true
	}
	q.good++
	if r.Weight != nil {
		q.weight = r.Weight
	}
	if r.Warning != q.warning {
		q.own().warning = r.Warning
	}
	return true
}

// answered returns the latest conclusive result.
func (q *question) answered() Result {
	if q.last.Inconclusive {
		return q.answer
	}
	return q.last
}

// run returns the series of the latest conclusive results.
func (q *question) run() health.Run { return health.Run{Good: q.answered().OK, Streak: int(q.streak)} }

func (q *question) counts() Counts {
	return Counts{
		Attempts: q.good + q.bad + q.inconclusive, Successes: q.good, Failures: q.bad,
		Unsent: q.unsent, Inconclusive: q.inconclusive, Overruns: q.overruns,
	}
}

func (q *question) remember(r Result) {
	e := q.own()
	if len(e.failures) < keptFailures {
		e.failures = append(e.failures, Result{})
	}
	copy(e.failures[1:], e.failures)
	e.failures[0] = r
}

// observe takes in a result and reports whether it made a new verdict. While the
// subject waits for another server, a result says nothing new.
func (s *subject) observe(r Result) (verdict bool) {
	if s.waitsFor != "" {
		return false
	}
	verdict = s.health.Observe(r.OK, false)
	if verdict {
		s.since = r.At
	}
	return verdict
}
