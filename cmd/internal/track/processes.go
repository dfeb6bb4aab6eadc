package track

import (
	"context"
	"log/slog"
	"maps"
	"reflect"
	"slices"
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
	shared  sharedTable

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
		table, err := p.shared.get(p.proc)
		if err != nil {
			p.known.endLook(tracker, nil)
			return Reading{Reason: err.Error(), Void: true}
		}
		pids := table.find(&what)
		if p.known.endLook(tracker, pids) {
			p.lookAgain(tracker)
		}
		return what.judge(pids)
	}
}

// receive takes in events of the kernel and calls changed for the trackers that
// they concern.
func (p *Processes) receive(events []procEvent, lost bool) {
	for _, tracker := range p.known.concernedBy(events, lost, p.proc) {
		p.lookAgain(tracker)
	}
}

// lookAgain calls changed when /proc may be read again, at once or later.
func (p *Processes) lookAgain(tracker string) {
	delay := p.shared.rest()
	switch {
	case delay <= 0:
		p.changed(tracker)
	case p.known.delay(tracker): // otherwise an earlier event has set the timer
		time.AfterFunc(delay, func() {
			p.known.endDelay(tracker)
			p.changed(tracker)
		})
	}
}

// A sharedTable is the processTable that looks share. After it was read it rests, and
// all looks get what was found. Looks that come while it is being read get that.
type sharedTable struct {
	mu    sync.Mutex // held while /proc is read
	table *processTable
	rests time.Time // /proc is not read before
}

// lookShare bounds the time that is spent on reading /proc to one part in lookShare: on
// a machine with thousands of processes it takes a while, there may be many trackers,
// and a program that forks all the time causes events all the time.
const lookShare = 20

// get returns the table, which it reads if the rest is over.
func (s *sharedTable) get(proc string) (*processTable, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	start := time.Now()
	if start.Before(s.rests) {
		return s.table, nil
	}
	table, err := readProcesses(proc)
	if err != nil {
		return nil, err
	}
	s.table, s.rests = table, time.Now().Add((lookShare-1)*time.Since(start))
	return table, nil
}

// rest returns how long the table still rests. While it is being read, rest waits: what
// was reported meanwhile may be missing in it.
func (s *sharedTable) rest() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Until(s.rests)
}

// knownProcesses holds the processes that the latest looks found. With them it
// decides which trackers an event concerns, without searching /proc for each.
type knownProcesses struct {
	mu       sync.Mutex
	trackers map[string]*knownTracker
	holders  map[int]map[string]bool // by process: the trackers that have found it
	looking  int                     // the number of looks in progress
	ended    map[int]bool            // the processes that ended during these looks
}

type knownTracker struct {
	Process
	pids    map[int]bool
	delayed bool // a timer runs until the table has rested
}

// delay marks a tracker as delayed, and reports whether it was not.
func (k *knownProcesses) delay(tracker string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.trackers[tracker]
	if t == nil || t.delayed {
		return false
	}
	t.delayed = true
	return true
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
	k.trackers, k.holders = make(map[string]*knownTracker, len(trackers)), map[int]map[string]bool{}
	for name, p := range trackers {
		if o := old[name]; o != nil && reflect.DeepEqual(o.Process, p) {
			k.trackers[name] = o
			k.hold(name, nil, o.pids)
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
	k.hold(tracker, t.pids, pids)
	t.pids = pids
	for pid := range pids {
		outdated = outdated || k.ended[pid]
	}
	return outdated
}

// hold notes that a tracker has found other processes than before.
func (k *knownProcesses) hold(tracker string, before, now map[int]bool) {
	for pid := range before {
		if !now[pid] {
			delete(k.holders[pid], tracker)
			if len(k.holders[pid]) == 0 {
				delete(k.holders, pid)
			}
		}
	}
	for pid := range now {
		if k.holders[pid] == nil {
			k.holders[pid] = map[string]bool{}
		}
		k.holders[pid][tracker] = true
	}
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
			maps.Copy(concerned, k.holders[e.parent])
		case procChanged:
			changed[e.pid] = true
		case procExited:
			delete(changed, e.pid)
			maps.Copy(concerned, k.holders[e.pid])
			if k.looking > 0 {
				k.ended[e.pid] = true
			}
		}
	}
	for pid := range changed {
		k.addDiffering(concerned, pid, readProcess(proc, pid))
	}
	if lost {
		return slices.Collect(maps.Keys(k.trackers))
	}
	return slices.Collect(maps.Keys(concerned))
}

// addDiffering adds to names the trackers that a process has begun or ceased to match. now
// is what it is now; nil: it has ended.
func (k *knownProcesses) addDiffering(names map[string]bool, pid int, now *processEntry) {
	for name, t := range k.trackers {
		if t.pids[pid] != (now != nil && t.matches(now)) {
			names[name] = true
		}
	}
}
