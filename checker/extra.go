package checker

import (
	"context"
	"time"

	"holdfast/checker/period"
	"holdfast/checker/probe"
)

// An extra is what only few questions need.
type extra struct {
	unwatch func()       // nil, or ends what a Watcher watches
	connect probe.Prober // only connects; nil without Config.NegotiateEvery
	turn    int          // attempts since the latest that asked the whole question
	period  period.Period
	ctx     context.Context    // ends when the last subject is gone; nil until somebody asks for it: see context
	cancel  context.CancelFunc // of ctx
	waiters []chan Result      // get the result of the next attempt
	served  []chan Result      // get the result of the running attempt

	answer   Result   // the latest conclusive one, while the last one is not
	warning  string   // of the latest good one
	failures []Result // newest first
	// certificateEnds is of the certificate that the server showed last.
	certificateEnds      time.Time
	unsent, inconclusive uint64 // how many attempts
}

// ordinary is the extra of all questions that need none. It is never written.
var ordinary extra

// own returns the extra of q, to be written.
func (q *question) own() *extra {
	if q.extra == &ordinary {
		q.extra = new(extra)
	}
	return q.extra
}

// context returns the context of attempts that need one. Most are made in steps, and need
// none.
func (q *question) context(parent context.Context) context.Context {
	if q.ctx == nil {
		e := q.own()
		e.ctx, e.cancel = context.WithCancel(parent)
		if q.over {
			q.cancel()
		}
	}
	return q.ctx
}

// end notes that the last subject is gone.
func (q *question) end() {
	q.over = true
	if q.cancel != nil {
		q.cancel()
	}
}
