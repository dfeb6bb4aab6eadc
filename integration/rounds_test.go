package integration_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
)

// rounds is how often each change of the MASTER is repeated at an interval:
// $HOLDFAST_ROUNDS times, or else a few.
func rounds(t *testing.T, few int) int {
	t.Helper()
	text := os.Getenv("HOLDFAST_ROUNDS")
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("HOLDFAST_ROUNDS=%s: want a positive number", text)
	}
	return n
}

// A way moves mastership from the first director to the second and back.
type way struct {
	name string
	do   func(t *testing.T, p *lab.Pair, daemons []*lab.Daemon, interval time.Duration)
}

// changed waits until the second director, or again the first, is MASTER and
// has been heard.
func changed(t *testing.T, p *lab.Pair, daemons []*lab.Daemon, master int) {
	t.Helper()
	daemons[master].AwaitState(t, "MASTER")
	if other := daemons[1-master]; other.Alive() {
		other.AwaitState(t, "BACKUP")
	}
	adverts(t, p.Directors[master], 3)
}

var ways = []way{
	{"handover", func(t *testing.T, p *lab.Pair, daemons []*lab.Daemon, _ time.Duration) {
		obeyed(t, daemons[0], "handover", "director")
		changed(t, p, daemons, 1)
		obeyed(t, daemons[1], "handover", "director")
		changed(t, p, daemons, 0)
	}},
	{"stop and return", func(t *testing.T, p *lab.Pair, daemons []*lab.Daemon, _ time.Duration) {
		daemons[0].Signal(unix.SIGTERM)
		if status := daemons[0].Wait(20 * time.Second); status != 0 {
			t.Errorf("exit status %d", status)
		}
		changed(t, p, daemons, 1)
		daemons[0].Restart()
		changed(t, p, daemons, 0)
	}},
	{"higher priority", func(t *testing.T, p *lab.Pair, daemons []*lab.Daemon, interval time.Duration) {
		for _, priority := range []int{250, priorities[1]} {
			daemons[1].Configure(lab.Director{Priority: priority, Interval: interval, IPv6: true}.TOML())
			if err := daemons[1].Reload(); err != nil {
				t.Fatal(err)
			}
			changed(t, p, daemons, min(1, priority/250))
		}
	}},
}

// No planned change of the MASTER loses a packet, to the virtual addresses or through
// the director, over IPv4 or IPv6.
func TestChangesLoseNothing(t *testing.T) {
	for _, c := range []struct {
		interval time.Duration
		few      int
	}{{fast, 2}, {10 * time.Millisecond, 2}, {time.Second, 1}} {
		t.Run(c.interval.String(), func(t *testing.T) {
			p := lab.NewPair(t, 2)
			daemons := directors(t, p, lab.Director{Interval: c.interval, IPv6: true})
			v := keepVigilOfBoth(t, p)
			for _, w := range ways {
				t.Logf("%s: %s", time.Now().Format("15:04:05.000"), w.name) // a loss has a time
				for range rounds(t, c.few) {
					w.do(t, p, daemons, c.interval)
				}
			}
			v.end(t)
		})
	}
}
