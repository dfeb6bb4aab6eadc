package track

import (
	"context"
	"log/slog"
	"path/filepath"
	"reflect"
	"strconv"
	"sync"
	"time"
)

// Processes looks for the processes of trackers. Where the kernel tells of
// processes it calls changed with a tracker's name soon after one of its
// processes has begun or ended, from another goroutine.
type Processes struct {
	proc    string
	log     *slog.Logger
	changed func(tracker string)
	known   knownProcesses

	mu     sync.Mutex
	wanted bool      // there are trackers
	feed   *procFeed // nil: nothing is told
	failed error     // why not
}

// NewProcesses returns a Processes without trackers.
func NewProcesses(log *slog.Logger, changed func(tracker string)) *Processes {
	return &Processes{proc: "/proc", log: log, changed: changed}
}

// Set makes the trackers those of a map, by name. Only while there are any is
// the kernel asked to tell. Its answer is not waited for.
func (p *Processes) Set(trackers map[string]Process) {
	p.known.set(trackers)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case len(trackers) == 0:
		p.unsubscribe()
	case !p.wanted && p.failed == nil:
		p.wanted = true
		go p.subscribe()
	}
}

// subscribe asks the kernel to tell. What happened before it does is looked for.
func (p *Processes) subscribe() {
	feed, err := openProcFeed()
	p.mu.Lock()
	switch {
	case err != nil:
		if p.failed == nil {
			p.log.Info("tracked processes are looked for in intervals only", "err", err)
		}
		p.failed = err
	case !p.wanted || p.feed != nil:
		feed.close()
	default:
		p.feed = feed
		feed.start(p.hear)
	}
	p.mu.Unlock()
	if err == nil {
		p.hear(nil, true)
	}
}

// Untold returns why the kernel does not tell of processes; nil: it does, or it
// was not asked, or it has not answered yet.
func (p *Processes) Untold() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// Close ends the watch.
func (p *Processes) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unsubscribe()
}

func (p *Processes) unsubscribe() {
	p.wanted = false
	if p.feed != nil {
		p.feed.close()
		p.feed = nil
	}
}

// Look returns how the tracker of a name looks.
func (p *Processes) Look(tracker string, what Process) func(context.Context) Reading {
	return func(context.Context) Reading {
		p.known.begin()
		start := time.Now()
		pids, r := what.look(p.proc)
		p.known.rest(tracker, time.Since(start))
		if p.known.end(tracker, pids) {
			p.changed(tracker)
		}
		return r
	}
}

// hear takes in what the kernel tells.
func (p *Processes) hear(events []procEvent, lost bool) {
	for _, tracker := range p.known.hear(events, lost, p.proc) {
		switch wait, waits := p.known.wait(tracker); {
		case waits: // it is told when that is over
		case wait > 0:
			time.AfterFunc(wait, func() {
				p.known.waited(tracker)
				p.changed(tracker)
			})
		default:
			p.changed(tracker)
		}
	}
}

// knownProcesses are the processes that the latest looks found. They tell
// whether an event of the kernel's concerns a tracker, without a look at all
// processes for each.
type knownProcesses struct {
	mu       sync.Mutex
	trackers map[string]*knownTracker
	looking  int          // looks under way
	ended    map[int]bool // processes that ended meanwhile
}

type knownTracker struct {
	Process
	pids  map[int]bool
	rests time.Time // until then news wait
	waits bool      // some do
}

// lookShare bounds the looks for news to one part in lookShare of the time: on a
// machine with thousands of processes a look takes a while, and a program that
// forks all the time makes news all the time.
const lookShare = 20

// rest has the news of a tracker wait after a look that took so long.
func (k *knownProcesses) rest(tracker string, took time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if t := k.trackers[tracker]; t != nil {
		t.rests = time.Now().Add((lookShare - 1) * took)
	}
}

// wait returns how long news of a tracker are to wait, and whether others wait
// already.
func (k *knownProcesses) wait(tracker string) (wait time.Duration, waits bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.trackers[tracker]
	if t == nil {
		return 0, false
	}
	wait, waits = time.Until(t.rests), t.waits
	t.waits = waits || wait > 0
	return wait, waits
}

// waited notes that news of a tracker wait no more.
func (k *knownProcesses) waited(tracker string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if t := k.trackers[tracker]; t != nil {
		t.waits = false
	}
}

func (k *knownProcesses) set(trackers map[string]Process) {
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.trackers
	k.trackers = make(map[string]*knownTracker, len(trackers))
	for name, p := range trackers {
		if o := old[name]; o != nil && reflect.DeepEqual(o.Process, p) {
			k.trackers[name] = o
			continue
		}
		k.trackers[name] = &knownTracker{Process: p}
	}
}

// begin begins a look. A process that ends while it lasts may have been seen
// before.
func (k *knownProcesses) begin() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.looking++; k.looking == 1 {
		k.ended = map[int]bool{}
	}
}

// end notes what a look found, and reports whether that is out of date already.
func (k *knownProcesses) end(tracker string, pids map[int]bool) (again bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.looking--
	t := k.trackers[tracker]
	if t == nil {
		return false
	}
	t.pids = pids
	for pid := range pids {
		again = again || k.ended[pid]
	}
	return again
}

// hear returns the trackers that events concern; if some were lost, all. A child
// is what its parent is until it runs another program. What began and ended
// among these events is not looked at: most processes are like that.
func (k *knownProcesses) hear(events []procEvent, lost bool, proc string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	concerned, changed := map[string]bool{}, map[int]bool{}
	for _, e := range events {
		switch e.kind {
		case procForked:
			k.concern(concerned, e.parent)
		case procChanged:
			changed[e.pid] = true
		case procExited:
			delete(changed, e.pid)
			k.concern(concerned, e.pid)
			if k.looking > 0 {
				k.ended[e.pid] = true
			}
		}
	}
	var names []string
	for name, t := range k.trackers {
		if lost || concerned[name] || t.differs(changed, proc) {
			names = append(names, name)
		}
	}
	return names
}

// concern adds the trackers of which a process is one.
func (k *knownProcesses) concern(names map[string]bool, pid int) {
	for name, t := range k.trackers {
		if t.pids[pid] {
			names[name] = true
		}
	}
}

// differs reports whether one of some processes is not what it was known for.
func (t *knownTracker) differs(pids map[int]bool, proc string) bool {
	for pid := range pids {
		if t.pids[pid] != t.is(filepath.Join(proc, strconv.Itoa(pid))) {
			return true
		}
	}
	return false
}
