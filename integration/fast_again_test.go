package integration_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

const (
	// armedAfterStart is how soon a BACKUP must count on its session after its first advert
	// of a MASTER. A session that loses its first packet needs 750 ms and more (RFC 5880
	// §6.8.3).
	armedAfterStart = 500 * time.Millisecond
	// armedAfterFault bounds the same after a fault of the network: both ends send a packet
	// a second then.
	armedAfterFault = 1300 * time.Millisecond
)

// A MASTER that fails again some seconds after its return is replaced as fast as the
// first time, for whatever reason it failed: the BACKUP is armed as soon as it has a MASTER.
func TestFastAgain(t *testing.T) {
	t.Parallel()
	for _, f := range failures {
		limit, is := map[string]time.Duration{"black hole": armedAfterFault, "power cut": armedAfterStart, "SIGKILL": armedAfterStart}[f.name]
		if !is {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			testFastAgain(t, f, limit)
		})
	}
}

func testFastAgain(t *testing.T, f failure, limit time.Duration) {
	p := lab.NewPair(t, 2)
	adverts := p.Directors[1].Wires["eth0"].CaptureAdverts()
	daemons := directors(t, p, lab.Director{Interval: slowAdverts, Options: "fast = true"})
	checkArmed(t, daemons[1], adverts, armedAfterStart)
	for range 2 {
		failed := time.Now()
		repair := f.do(t, p, daemons[0])
		daemons[1].AwaitState(t, "MASTER")
		if _, reason := becameMaster(t, daemons[1]); !strings.Contains(reason, "its BFD session timed out") {
			t.Fatalf("lvs2 took over because: %s\n%v", reason, events(t, daemons[1], 0))
		}
		// It stays away for longer than an interval, as the adverts of lvs2 show.
		adverts.Await(t, 10*time.Second, "an advert of lvs2", 1, advertsOf("10.0.0.3", failed.Add(slowAdverts*11/10)))
		repair()
		daemons[0].AwaitState(t, "MASTER")
		daemons[1].AwaitState(t, "BACKUP")
		checkArmed(t, daemons[1], adverts, limit)
	}
}

// checkArmed waits until a BACKUP is armed, and checks how long that took.
func checkArmed(t *testing.T, d *lab.Daemon, adverts *lab.Capture, limit time.Duration) {
	t.Helper()
	awaitArmed(t, d)
	all := events(t, d, 0)
	var followed, armed time.Time
	for _, e := range all {
		switch {
		case e.Subject != "outside":
		case e.Kind == "instance" && e.To == "BACKUP" && e.From == "INIT":
			followed = advertAfter(t, adverts, e.At)
		case e.Kind == "instance" && e.To == "BACKUP":
			followed = e.At
		case e.Kind == "fast" && e.To == "armed":
			armed = e.At
		}
	}
	if took := armed.Sub(followed); took > limit {
		t.Errorf("armed %v after the first advert, want at most %v:\n%v", took, limit, all)
	}
}

// advertAfter returns when the first advert of lvs1 came after a moment.
func advertAfter(t *testing.T, adverts *lab.Capture, after time.Time) time.Time {
	t.Helper()
	match := advertsOf("10.0.0.2", after)
	adverts.Await(t, 10*time.Second, "an advert of lvs1", 1, match)
	return adverts.Frames(match)[0].Time
}

// advertsOf matches the adverts that a router sends after a moment.
func advertsOf(source string, after time.Time) func(lab.Frame) bool {
	own := netip.MustParseAddr(source)
	return func(f lab.Frame) bool {
		a, ok := f.Advert()
		return ok && a.Source == own && f.Time.After(after)
	}
}
