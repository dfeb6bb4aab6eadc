package integration_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// armedWithin is how soon a BACKUP counts on its session after the first advert of a new
// MASTER: the session needs some milliseconds and, if its slow packets have begun already, up
// to a second (RFC 5880 §6.8.3).
const armedWithin = 1300 * time.Millisecond

// A BACKUP is armed as soon as it has a MASTER: after a start, and after the MASTER has
// failed and returned. So a MASTER that fails again some seconds later is replaced as
// fast as the first time, for whatever reason it failed.
func TestFastAgain(t *testing.T) {
	for _, f := range failures {
		if strings.HasPrefix(f.name, "cut") || f.name == "SIGTERM" {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 2)
			adverts := p.Directors[1].Wires["eth0"].CaptureAdverts()
			daemons := directors(t, p, lab.Director{Interval: slowAdverts, Options: "fast = true"})
			for round := range 3 {
				checkArmed(t, daemons[1], adverts)
				began := time.Now()
				repair := f.do(t, p, daemons[0])
				seen := mark(t, daemons[1])
				daemons[1].AwaitState(t, "MASTER")
				if _, reason := becameMaster(t, daemons[1]); !strings.Contains(reason, "its BFD session timed out") {
					t.Fatalf("round %d: lvs2 took over because: %s\n%v", round, reason, events(t, daemons[1], 0))
				}
				_ = seen
				time.Sleep(time.Until(began.Add(slowAdverts + 100*time.Millisecond)))
				repair()
				daemons[0].AwaitState(t, "MASTER")
				daemons[1].AwaitState(t, "BACKUP")
			}
		})
	}
}

// checkArmed waits until a BACKUP is armed, and checks how long that took.
func checkArmed(t *testing.T, d *lab.Daemon, adverts *lab.Capture) {
	t.Helper()
	awaitArmed(t, d)
	master := netip.MustParseAddr("10.0.0.2")
	all := events(t, d, 0)
	var backup time.Time
	for _, e := range all.Of("instance") {
		if e.Subject == "outside" && e.To == "BACKUP" {
			backup = e.At
		}
	}
	heard := adverts.Frames(func(f lab.Frame) bool {
		a, ok := f.Advert()
		return ok && a.Source == master && f.Time.After(backup.Add(-slowAdverts/2))
	})
	for _, e := range all.Of("fast") {
		if e.Subject == "outside" && e.To == "armed" && e.At.After(heard[0].Time) {
			took := e.At.Sub(heard[0].Time)
			t.Logf("armed %v after the first advert", took)
			if took > armedWithin {
				t.Errorf("armed %v after the first advert:\n%v", took, all)
			}
			return
		}
	}
	t.Error(fmt.Sprintf("never armed:\n%v", all))
}
