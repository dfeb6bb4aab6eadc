package vrrp

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// epoch is when every pretend world begins.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A world is one or more pretend LANs with directors on them, in virtual time.
// Everything that happens comes out of one queue, and every choice out of one
// seeded source, so that equal seeds give equal runs. Adverts travel as bytes:
// the codec and the reception checks are part of the game.
//
// The world enforces what the package promises about the order of actions; it
// calls violate when a director breaks it.
type world struct {
	now     time.Duration // since epoch
	queue   happenings
	counted uint64
	halted  bool // time stands still: a promise was broken
	rng     *rand.Rand
	nodes   []*node

	// What the wires do to a frame.
	delayMin, delayMax time.Duration
	loss, duplicate    float64
	bfd                time.Duration // interval of the packets of BFD sessions; 0: there are none
	bfdLoss            float64       // of their packets alone
	reorder            bool          // also frames of one sender may overtake each other
	// What a claim, mute or release takes, and how often a claim fails.
	workMin, workMax time.Duration
	claimLoss        float64
	parts            float64 // of the claims of what nobody serves, how many tell of the first address

	sent uint64 // adverts

	log     func(n *node, member int, text string) // nil: nobody reads it
	moved   func()                                 // called when a device has changed
	accused func(n *node, member int)              // called when a MASTER is replaced because of its session; nil: nobody cares
	violate func(format string, args ...any)
}

func newWorld(seed uint64) *world {
	return &world{
		rng:      rand.New(rand.NewPCG(seed, 112)),
		delayMin: 100 * time.Microsecond, delayMax: 100 * time.Microsecond,
		workMin: 2 * time.Millisecond, workMax: 2 * time.Millisecond,
		moved: func() {},
	}
}

// A happening is something that is to happen.
type happening struct {
	at    time.Duration
	order uint64 // among those of one time
	do    func()
}

type happenings []happening

func (q happenings) Len() int { return len(q) }
func (q happenings) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q happenings) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *happenings) Push(x any)   { *q = append(*q, x.(happening)) }
func (q *happenings) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = happening{}
	*q = old[:len(old)-1]
	return last
}

// at lets do happen at a time that is not in the past.
func (w *world) at(t time.Duration, do func()) {
	w.counted++
	heap.Push(&w.queue, happening{max(t, w.now), w.counted, do})
}

// run lets everything happen that is due within d.
func (w *world) run(d time.Duration) {
	until := w.now + d
	for len(w.queue) > 0 && w.queue[0].at <= until && !w.halted {
		h := heap.Pop(&w.queue).(happening)
		w.now = h.at
		h.do()
	}
	if !w.halted {
		w.now = until
	}
}

// between draws a duration.
func (w *world) between(from, to time.Duration) time.Duration {
	if to <= from {
		return from
	}
	return from + time.Duration(w.rng.Int64N(int64(to-from)+1))
}
