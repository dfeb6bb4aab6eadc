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

// Processes looks for the processes of process trackers. Where the kernel
// reports process events, it calls changed with the name of a tracker soon after
// one of that tracker's processes has begun or ended.
type Processes struct {
	proc    string
	log     *slog.Logger
	changed func(tracker string)
	known   knownProcesses

	mu     sync.Mutex
	wanted bool      // there are trackers
	feed   *procFeed // nil while not subscribed
	failed error     // why the subscription failed
}

// NewProcesses returns a Processes without trackers. It calls changed from other
// goroutines.
func NewProcesses(log *slog.Logger, changed func(tracker string)) *Processes {
	return &Processes{proc: "/proc", log: log, changed: changed}
}

// Set replaces the trackers with those of a map, by name. It subscribes to
// process events while there are any, and does not wait for the kernel's answer.
// If the subscription failed, the next Set tries it again.
func (p *Processes) Set(trackers map[string]Process) {
	p.known.set(trackers)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case len(trackers) == 0:
		p.unsubscribe()
	case !p.wanted:
		p.wanted = true
		go p.subscribe()
	}
}

// subscribe asks the kernel for process events. It then has all trackers look,
// because what happened before was not reported.
func (p *Processes) subscribe() {
	feed, err := openProcFeed()
	p.mu.Lock()
	switch {
	case err != nil:
		if p.failed == nil || p.failed.Error() != err.Error() {
			p.log.Info("tracked processes are checked at intervals only, because the kernel reports no process events", "err", err)
		}
		p.failed, p.wanted = err, false // the next Set tries again
	case !p.wanted || p.feed != nil:
		feed.close()
	default:
		p.feed, p.failed = feed, nil
		feed.start(p.receive)
	}
	p.mu.Unlock()
	if err == nil {
		p.receive(nil, true)
	}
}

// Err returns why the kernel does not report process events to this process. It
// returns nil while it does, while there are no trackers, and until the kernel
// has answered the subscription.
func (p *Processes) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// Close ends the subscription.
func (p *Processes) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unsubscribe()
}

func (p *Processes) unsubscribe() {
	p.wanted, p.failed = false, nil
	if p.feed != nil {
		p.feed.close()
		p.feed = nil
	}
}

// Look returns the look of one of the trackers.
func (p *Processes) Look(tracker string, what Process) func(context.Context) Reading {
	return func(context.Context) Reading {
		p.known.beginLook()
		start := time.Now()
		pids, r := what.look(p.proc)
		p.known.rest(tracker, time.Since(start))
		if p.known.endLook(tracker, pids) {
			p.changed(tracker)
		}
		return r
	}
}

// receive takes in events of the kernel and calls changed for the trackers that
// they concern, at once or when their rest is over.
func (p *Processes) receive(events []procEvent, lost bool) {
	for _, tracker := range p.known.concernedBy(events, lost, p.proc) {
		switch delay, delayed := p.known.delay(tracker); {
		case delayed: // an earlier event has set the timer
		case delay > 0:
			time.AfterFunc(delay, func() {
				p.known.endDelay(tracker)
				p.changed(tracker)
			})
		default:
			p.changed(tracker)
		}
	}
}

// knownProcesses holds the processes that the latest looks found. With them it
// decides which trackers an event concerns, without searching /proc for each.
type knownProcesses struct {
	mu       sync.Mutex
	trackers map[string]*knownTracker
	looking  int          // the number of looks in progress
	ended    map[int]bool // the processes that ended during these looks
}

type knownTracker struct {
	Process
	pids    map[int]bool
	rests   time.Time // changed is not called before
	delayed bool      // a timer runs until rests
}

// lookShare bounds the time that is spent on looks after events to one part in
// lookShare: on a machine with thousands of processes a look takes a while, and
// a program that forks all the time causes events all the time.
const lookShare = 20

// rest delays further looks of a tracker whose last one took so long.
func (k *knownProcesses) rest(tracker string, took time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if t := k.trackers[tracker]; t != nil {
		t.rests = time.Now().Add((lookShare - 1) * took)
	}
}

// delay returns how long the tracker still rests, and whether it was delayed
// already. A tracker that rests is delayed from then on.
func (k *knownProcesses) delay(tracker string) (delay time.Duration, delayed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.trackers[tracker]
	if t == nil {
		return 0, false
	}
	delay, delayed = time.Until(t.rests), t.delayed
	t.delayed = delayed || delay > 0
	return delay, delayed
}

func (k *knownProcesses) endDelay(tracker string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if t := k.trackers[tracker]; t != nil {
		t.delayed = false
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

// beginLook notes that a look begins. A process that ends during a look may
// have been found before it ended.
func (k *knownProcesses) beginLook() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.looking++; k.looking == 1 {
		k.ended = map[int]bool{}
	}
}

// endLook keeps what a look found. outdated reports that one of the processes
// has ended meanwhile.
func (k *knownProcesses) endLook(tracker string, pids map[int]bool) (outdated bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.looking--
	t := k.trackers[tracker]
	if t == nil {
		return false
	}
	t.pids = pids
	for pid := range pids {
		outdated = outdated || k.ended[pid]
	}
	return outdated
}

// concernedBy returns the names of the trackers that events concern: all of them
// when events were lost. A child matches what its parent matches until it
// executes another program. A process that began and ended within events is
// not looked up, because most processes are that short.
func (k *knownProcesses) concernedBy(events []procEvent, lost bool, proc string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	concerned, changed := map[string]bool{}, map[int]bool{}
	for _, e := range events {
		switch e.kind {
		case procForked:
			k.addTrackersOf(e.parent, concerned)
		case procChanged:
			changed[e.pid] = true
		case procExited:
			delete(changed, e.pid)
			k.addTrackersOf(e.pid, concerned)
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

// addTrackersOf adds to names the trackers that have found the process.
func (k *knownProcesses) addTrackersOf(pid int, names map[string]bool) {
	for name, t := range k.trackers {
		if t.pids[pid] {
			names[name] = true
		}
	}
}

// differs reports whether one of the processes has begun or ceased to match.
func (t *knownTracker) differs(pids map[int]bool, proc string) bool {
	for pid := range pids {
		if t.pids[pid] != t.matches(filepath.Join(proc, strconv.Itoa(pid))) {
			return true
		}
	}
	return false
}
