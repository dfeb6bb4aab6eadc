package integration_test

import (
	"flag"
	"runtime"
	"testing"
	"time"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

var (
	fastIdle = flag.Duration("fast.idle", 3*time.Second, "how long TestFastCalm watches directors on a machine without other work")
	fastBusy = flag.Duration("fast.busy", 5*time.Second, "how long TestFastCalm watches directors beside two busy loops on every processor")
)

// Nobody takes over from a MASTER that is alive, at a detection time of 30 ms: neither
// on an idle machine nor on a busy one. A session may fall, if a packet is late; the BACKUP
// then asks, and is answered.
func TestFastCalm(t *testing.T) {
	p := lab.NewPair(t, 2)
	d := directors(t, p, lab.Director{Interval: slowAdverts, Options: "fast = true"})
	awaitArmed(t, d[1])
	var scheduling struct {
		Realtime     bool   `json:"realtime"`
		RealtimeNote string `json:"realtime_note"`
	}
	if err := d[1].StatusInto(&scheduling); err != nil || !scheduling.Realtime {
		tools.Without(t, "netns", "no real-time priority here: "+scheduling.RealtimeNote)
	}
	watchCalm(t, d, "idle", *fastIdle)
	hogs := p.Host("hogs")
	for range 2 * runtime.NumCPU() {
		hogs.Start("sh", "-c", "while :; do :; done")
	}
	watchCalm(t, d, "busy", *fastBusy)
}

// watchCalm checks that nobody takes over for some time.
func watchCalm(t *testing.T, d []*lab.Daemon, what string, long time.Duration) {
	t.Helper()
	since := []uint64{mark(t, d[0]), mark(t, d[1])}
	takeovers, flaps := fastTally(t, d[1])
	time.Sleep(long)
	took, fell := fastTally(t, d[1])
	t.Logf("%s for %v: %d takeovers, %d sessions down while the MASTER was alive", what, long, took-takeovers, fell-flaps)
	if took != takeovers {
		t.Errorf("%s: %d takeovers", what, took-takeovers)
	}
	for i := range d {
		all := events(t, d[i], since[i])
		if down := falls(all); len(down) > 0 {
			t.Logf("lvs%d: %d sessions fell:\n%v", i+1, len(down), down[:min(len(down), 20)])
		}
		if moves := all.Transitions(); len(moves) > 0 {
			t.Errorf("%s: lvs%d moved:\n%v", what, i+1, all)
		}
	}
}

// fastTally returns how often the virtual routers of a director took over because of a
// session, and how often their sessions were down while the MASTER was alive.
func fastTally(t *testing.T, d *lab.Daemon) (takeovers, flaps uint64) {
	t.Helper()
	var s struct {
		VRRP []struct {
			Fast struct {
				Takeovers uint64 `json:"takeovers"`
				Flaps     uint64 `json:"flaps"`
			} `json:"fast"`
		} `json:"vrrp"`
	}
	if err := d.StatusInto(&s); err != nil {
		t.Fatal(err)
	}
	for _, v := range s.VRRP {
		takeovers, flaps = takeovers+v.Fast.Takeovers, flaps+v.Fast.Flaps
	}
	return takeovers, flaps
}

// falls are the events of sessions that went down.
func falls(j lab.Journal) (down lab.Journal) {
	for _, e := range j.Of("bfd") {
		if e.From == "Up" {
			down = append(down, e)
		}
	}
	return down
}
