package director

import (
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/conf"
	"holdfast/lvs"
	"holdfast/vrrp"
)

// A preemptStage runs a preemption alone, in a synctest bubble.
type preemptStage struct {
	*preemption
	mail   *mailbox
	left   int               // servers without a verdict
	broken bool              // the sync daemon does not run
	held   map[string]string // what the virtual routers were told
}

func newPreemptStage(t *testing.T, c *conf.Config, former *upgradeState) *preemptStage {
	t.Helper()
	b, recorder := alone(t)
	s := &preemptStage{preemption: newPreemption(b), mail: recorder.mail, held: map[string]string{}}
	s.undecided = func() int { return s.left }
	s.syncFailed = func() bool { return s.broken }
	s.hold = func(why func(string) string) {
		for i := range c.VRRP {
			s.held[c.VRRP[i].Name] = why(c.VRRP[i].Name)
		}
	}
	t.Cleanup(s.close)
	if former != nil {
		s.restore(former)
	}
	return s
}

// pass lets time pass.
func (s *preemptStage) pass(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(50*time.Millisecond, time.Until(end)))
		synctest.Wait()
		for _, f := range s.mail.take() {
			f()
		}
	}
}

func (s *preemptStage) is(name, state string) {
	s.handle(&event.Event{Kind: event.KindGroup, Subject: name, To: state})
}

func (s *preemptStage) want(t *testing.T, when, outside, other string) {
	t.Helper()
	if s.held["outside"] != outside || s.held["other"] != other {
		t.Errorf("%s: held back are outside (%q) and other (%q), want %q and %q", when, s.held["outside"], s.held["other"], outside, other)
	}
}

// preemptConf has a group that the sync daemon follows, and an instance beside it.
func preemptConf(wait, sync time.Duration) *conf.Config {
	c := &conf.Config{
		VRRP:   []conf.Instance{{Config: vrrp.Config{Name: "outside"}}, {Config: vrrp.Config{Name: "other"}}},
		Groups: []conf.Group{{Name: "director", Members: []string{"outside"}}},
	}
	c.LVS.PreemptWait, c.LVS.SyncPreemptWait = wait, sync
	if sync > 0 {
		c.LVS.Sync = lvs.SyncConfig{Interface: "eth1", Follow: "director"}
	}
	return c
}

// Preemption waits for the first verdict on every server, and no longer than it is
// allowed to.
func TestPreemptionWaitsForChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := preemptConf(time.Minute, 0)
		s := newPreemptStage(t, c, nil)
		s.left = 3
		s.apply(c)
		s.want(t, "at the start", "waiting for the first verdicts on 3 servers", "waiting for the first verdicts on 3 servers")
		if got := s.event("other"); got != vrrp.Event(vrrp.HoldPreempt{Why: "waiting for the first verdicts on 3 servers"}) {
			t.Errorf("an instance that starts now hears %v", got)
		}
		s.left = 1
		s.pass(time.Second)
		s.want(t, "after two verdicts", "waiting for the first verdicts on 1 server", "waiting for the first verdicts on 1 server")
		s.left = 0
		s.pass(time.Second)
		s.want(t, "after all verdicts", "", "")
		s.left = 5
		s.apply(c)
		s.pass(time.Second)
		s.want(t, "after a reload with new servers", "", "")
	})
}

func TestPreemptionDoesNotWaitForChecksForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := preemptConf(10*time.Second, 0)
		s := newPreemptStage(t, c, nil)
		s.left = 1
		s.apply(c)
		s.pass(9 * time.Second)
		s.want(t, "after 9s", "waiting for the first verdicts on 1 server", "waiting for the first verdicts on 1 server")
		s.pass(2 * time.Second)
		s.want(t, "after 11s", "", "")
		if s.event("outside") != nil {
			t.Error("an instance that starts now is held back")
		}
	})
}

// Preemption of what the sync daemon follows waits for the connections, each time
// that this director begins to listen.
func TestPreemptionWaitsForConnections(t *testing.T) {
	const why = "waiting until the IPVS sync daemon has received connections for 12s"
	synctest.Test(t, func(t *testing.T) {
		c := preemptConf(time.Minute, 12*time.Second)
		s := newPreemptStage(t, c, nil)
		s.apply(c)
		s.want(t, "before it is BACKUP", why, "")
		s.pass(time.Hour)
		s.is("director", event.Backup)
		s.pass(11 * time.Second)
		s.want(t, "BACKUP for 11s", why, "")
		s.pass(2 * time.Second)
		s.want(t, "BACKUP for 13s", "", "")

		s.is("director", event.Fault)
		s.want(t, "FAULT", why, "")
		s.is("director", event.Backup)
		s.pass(13 * time.Second)
		s.want(t, "BACKUP for 13s again", "", "")

		s.is("director", event.Master)
		s.is("director", event.Backup)
		s.want(t, "BACKUP after MASTER", why, "")

		s.broken = true
		s.pass(30 * time.Second)
		s.want(t, "the daemon does not run", why, "")
		s.broken = false
		s.pass(13 * time.Second)
		s.want(t, "the daemon has run for 12s", "", "")
	})
}

func TestPreemptionDoesNotWaitForASyncDaemonForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := preemptConf(time.Minute, 12*time.Second)
		s := newPreemptStage(t, c, nil)
		s.broken = true
		s.apply(c)
		s.is("director", event.Backup)
		s.pass(80 * time.Second)
		s.want(t, "without a daemon", "", "")
	})
}

// After an upgrade only what the former binary still waited for is waited for.
func TestPreemptionAfterUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := preemptConf(time.Minute, 12*time.Second)
		var saved upgradeState
		former := newPreemptStage(t, c, nil)
		former.apply(c)
		former.is("director", event.Backup)
		former.save(&saved)
		if !saved.PreemptHeld {
			t.Error("what was waited for was not saved")
		}
		former.pass(13 * time.Second)
		former.save(&saved)
		if saved.PreemptHeld {
			t.Error("saved that it waits, and it does not")
		}

		saved.At = 1
		next := newPreemptStage(t, c, &saved)
		next.left = 7
		next.apply(c)
		next.is("director", event.Backup)
		next.want(t, "after an upgrade", "", "")
		next.is("director", event.Fault)
		next.is("director", event.Backup)
		next.want(t, "after a fault", "waiting until the IPVS sync daemon has received connections for 12s", "")

		saved.PreemptHeld = true
		next = newPreemptStage(t, c, &saved)
		next.left = 7
		next.apply(c)
		next.want(t, "after an upgrade in between", "waiting for the first verdicts on 7 servers", "waiting for the first verdicts on 7 servers")
	})
}
