package director

import (
	"context"
	"fmt"
	"slices"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/conf"
	"holdfast/vrrp"
)

// checksLook is how often the checks without a verdict are counted while a preemption
// may wait for them.
const checksLook = 250 * time.Millisecond

// A preemption is the subsystem that keeps virtual routers from preempting a MASTER
// which serves better than this director could: as long as the checks do not say which
// servers are well, and as long as this director does not know the connections. With a
// preempt_command they never preempt, but have the MASTER hand over.
type preemption struct {
	base
	undecided  func() int                // servers whose checks have no verdict
	syncFailed func() bool               // the sync daemons are not as they should be
	hold       func(func(string) string) // gives virtual routers by their name why they must not preempt
	stillHeld  func(string) bool         // a virtual router hears a MASTER that it would preempt

	ctx         context.Context // of the programs
	end         func()
	asks        map[string]*ask          // by virtual router
	askedBefore map[string]time.Duration // by unit: as in upgradeState, until the first apply
	conf        *conf.Config             // nil until the first apply
	warm        bool                     // the former binary had not to wait any more
	checks      checksWait
	sync        syncWait
	followers   map[string]bool   // virtual routers that move with what the sync daemon follows
	said        map[string]string // what hold gave, without those who need not wait
	timer       *time.Timer
}

func newPreemption(b base) *preemption {
	p := &preemption{base: b}
	p.ctx, p.end = context.WithCancel(context.Background())
	p.timer = time.AfterFunc(time.Hour, func() { p.post(p.look) })
	p.timer.Stop()
	return p
}

func (p *preemption) restore(u *upgradeState) {
	p.warm, p.askedBefore = u.At != 0 && !u.PreemptHeld, u.PreemptAsked
}

func (p *preemption) save(u *upgradeState) {
	u.PreemptHeld = p.checks.left > 0 || !p.sync.backup.IsZero() && p.sync.waits()
	p.saveAsks(u)
}

func (p *preemption) apply(c *conf.Config) {
	first := p.conf == nil
	p.takeAsks(c)
	p.conf, p.followers = c, followers(c)
	if first && !p.warm {
		p.checks.until = time.Now().Add(c.LVS.PreemptWait)
	}
	if first && p.warm {
		p.sync.warm = true
	}
	p.sync.period, p.sync.timeout = 0, c.LVS.PreemptWait
	if c.LVS.Sync.Interface != "" {
		p.sync.period = c.LVS.SyncPreemptWait
	}
	p.look()
}

// followers returns the virtual routers that move with what the sync daemon follows.
func followers(c *conf.Config) map[string]bool {
	all := map[string]bool{}
	if follow := c.LVS.Sync.Follow; follow != "" {
		all[follow] = true
		for i := range c.Groups {
			if c.Groups[i].Name == follow {
				for _, name := range c.Groups[i].Members {
					all[name] = true
				}
			}
		}
	}
	return all
}

// handle follows the state of what the sync daemon follows.
func (p *preemption) handle(e *event.Event) {
	if e.Kind == event.KindInstance || e.Kind == event.KindGroup {
		p.stateIs(e.Subject, e.To == event.Backup)
	}
}

// stateIs notes whether an instance or group is BACKUP.
func (p *preemption) stateIs(name string, backup bool) {
	if p.conf != nil && name == p.conf.LVS.Sync.Follow && p.sync.stateIs(time.Now(), backup) {
		p.look()
	}
}

func (p *preemption) withdraw() { p.timer.Stop() }

func (p *preemption) close() {
	p.timer.Stop()
	p.end()
}

// look works out anew who must not preempt, and says so if that changed.
func (p *preemption) look() {
	now := time.Now()
	p.checks.left = 0
	if p.checks.until.After(now) {
		p.checks.left = p.undecided()
	}
	if p.checks.left == 0 {
		p.checks.until = time.Time{} // checks that come later are not waited for
	}
	p.sync.advance(now, p.syncFailed())
	asks := p.askAll(now)
	said := map[string]string{}
	for i := range p.conf.VRRP {
		if why := p.why(p.conf.VRRP[i].Name); why != "" {
			said[p.conf.VRRP[i].Name] = why
		}
	}
	p.tell(said)
	p.wakeAt(now, asks)
}

// why returns why an instance must not preempt a MASTER now; "" if it may.
func (p *preemption) why(instance string) string {
	if why := p.notReady(instance); why != "" {
		return why
	}
	if a := p.asks[instance]; a != nil {
		return a.why()
	}
	return ""
}

// notReady returns why an instance would serve worse than the MASTER does; "" if it
// would not.
func (p *preemption) notReady(instance string) string {
	if n := p.checks.left; n > 0 {
		return fmt.Sprintf("waiting for the first verdicts on %d %s", n, plural(n, "server"))
	}
	if p.followers[instance] && p.sync.waits() {
		return fmt.Sprintf("waiting until the IPVS sync daemon has received connections for %v", p.sync.period)
	}
	return ""
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// tell gives the virtual routers what is new.
func (p *preemption) tell(said map[string]string) {
	same := len(said) == len(p.said)
	for name, why := range said {
		same = same && p.said[name] == why
	}
	if same {
		return
	}
	if len(said) == 0 {
		p.log.Info("no preemption is held back any more")
	}
	p.said = said
	p.hold(func(name string) string { return said[name] })
}

// wakeAt sets the timer for the next look: after the shortest of waits, or before.
func (p *preemption) wakeAt(now time.Time, waits []time.Duration) {
	p.timer.Stop()
	if p.checks.left > 0 {
		waits = append(waits, min(checksLook, p.checks.until.Sub(now)))
	}
	if !p.sync.backup.IsZero() && p.sync.waits() {
		waits = append(waits, p.sync.end().Sub(now))
	}
	if len(waits) > 0 {
		p.timer.Reset(slices.Min(waits))
	}
}

// event returns what a virtual router hears at its start; nil if it may preempt.
func (p *preemption) event(instance string) vrrp.Event {
	if why := p.said[instance]; why != "" {
		return vrrp.HoldPreempt{Why: why}
	}
	return nil
}

// A checksWait is the wait for the first verdicts.
type checksWait struct {
	until time.Time // zero: it is over
	left  int       // servers without a verdict
}

// A syncWait is the wait for the connections that the MASTER copies. It begins each
// time that this director begins to listen: at its start, and when it is BACKUP again
// after having been MASTER or in FAULT.
type syncWait struct {
	period  time.Duration // 0: no wait
	timeout time.Duration // for a daemon that does not start
	warm    bool          // the former binary had received connections for long enough
	backup  time.Time     // when this director became BACKUP; zero: it is not
	since   time.Time     // since when it receives
	over    bool
}

// stateIs notes whether this director is BACKUP, and reports whether that is news.
func (w *syncWait) stateIs(now time.Time, backup bool) bool {
	warm := w.warm
	w.warm = false
	if backup != w.backup.IsZero() {
		return false
	}
	w.backup, w.since, w.over = time.Time{}, time.Time{}, false
	if backup {
		w.backup, w.since, w.over = now, now, warm
	}
	return true
}

// advance notes whether the daemon runs, and what time it is.
func (w *syncWait) advance(now time.Time, failed bool) {
	if w.backup.IsZero() || w.over {
		return
	}
	if failed && now.Before(w.backup.Add(w.timeout)) {
		w.since = now
	}
	w.over = !w.end().After(now)
}

// end returns when the wait is over if the daemon runs. It has a meaning only while
// this director is BACKUP.
func (w *syncWait) end() time.Time { return w.since.Add(w.period) }

// waits reports whether a MASTER must not be preempted.
func (w *syncWait) waits() bool { return w.period > 0 && !w.over }
