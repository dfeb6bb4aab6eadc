package director

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/vrrp"
)

// alertsOf returns the subsystem with one rule, and what runs the posted functions.
func alertsOf(t *testing.T, dir, follow string) (a *alerts, r *aloneRecorder, work func()) {
	t.Helper()
	b, r := alone(t)
	a = newAlerts(b, dir)
	a.apply(&conf.Config{
		VRRP:   []conf.Instance{{}},
		Tracks: []conf.Track{{Name: "gw"}, {Name: "dns"}},
		Alerts: []conf.Alert{{Name: "ops", Events: []string{event.KindTracker}, Follow: follow, Every: time.Hour}},
	})
	work = func() {
		for list := r.mail.take(); len(list) > 0; list = r.mail.take() {
			for _, f := range list {
				f()
			}
		}
	}
	return a, r, work
}

func trackerDown(a *alerts, name string) {
	a.handle(&event.Event{At: time.Now(), Kind: event.KindTracker, Subject: name, To: "down"})
}

// The state that an upgrade goes on with is no event. A rule that follows the instance
// must know of it all the same.
func TestAlertFollowsWhatResumed(t *testing.T) {
	a, r, work := alertsOf(t, t.TempDir(), "outside")
	defer a.close()
	d := &Director{alerts: a, services: newVirtualServices(a.base, t.TempDir()), resources: newResources(a.base, t.TempDir(), newClaimGate()), preemption: newPreemption(a.base), fast: newFastSessions(a.base)}
	trackerDown(a, "gw")
	work()
	if len(r.events) != 0 {
		t.Fatalf("alerts of a BACKUP: %v", r.events)
	}
	d.groupIs("outside", vrrp.Master)
	work()
	if len(r.events) != 1 || r.events[0].Kind != event.KindAlert {
		t.Errorf("alerts of a MASTER: %v", r.events)
	}
}

// A file that cannot be written is one problem, however many messages follow, and is
// written once that is possible.
func TestAlertsFileCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "missing")
		a, r, work := alertsOf(t, path, "")
		defer a.close()
		var problems [][]status.Problem
		a.problems = func(all []status.Problem) { problems = append(problems, all) }
		trackerDown(a, "gw")
		work()
		if len(r.events) != 1 || len(problems) != 1 || len(problems[0]) != 1 {
			t.Fatalf("%d alerts, problems %v", len(r.events), problems)
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(keepAgain)
		synctest.Wait()
		work()
		if len(problems) != 2 || len(problems[1]) != 0 {
			t.Errorf("problems: %v", problems)
		}
		if _, err := os.Stat(a.path); err != nil {
			t.Error(err)
		}
	})
}

// What is no message is written after a while or at the end, not each time.
func TestAlertsFileLags(t *testing.T) {
	a, _, work := alertsOf(t, t.TempDir(), "outside") // which is not MASTER: no message
	trackerDown(a, "gw")
	work()
	if _, err := os.Stat(a.path); err == nil {
		t.Error("the file was written at once")
	}
	a.close()
	if _, err := os.Stat(a.path); err != nil {
		t.Errorf("after the end: %v", err)
	}
}
