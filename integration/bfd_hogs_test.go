package integration_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

var (
	bfdSeconds = flag.Int("bfd.seconds", 5, "how long TestBFDUnderHogs keeps the processors busy")
	bfdHogs    = flag.Int("bfd.hogs", 2, "how many busy loops of TestBFDUnderHogs run on every processor")
)

const (
	// fastPace and fastMultiplier detect a dead neighbour in 30 ms.
	fastPace       = 10 * time.Millisecond
	fastMultiplier = 3
)

// Detection of 3 × 10 ms holds between two directors while every processor is busy, and
// while people look at their status. A session with FRR's bfdd, which has no real-time
// priority, falls when bfdd sends too late, and at no other time.
func TestBFDUnderHogs(t *testing.T) {
	var scheduling struct {
		Realtime     bool   `json:"realtime"`
		RealtimeNote string `json:"realtime_note"`
	}
	l := lab.New(t)
	wire := l.Switch("wire")
	one, two, router := l.Host("lvs1"), l.Host("lvs2"), l.Host("router")
	one.Plug(wire, "eth0", "10.0.0.2/24")
	two.Plug(wire, "eth0", "10.0.0.3/24")
	seen := router.Plug(wire, "eth0", "10.0.0.1/24")
	table := func(neighbour string) string {
		return fmt.Sprintf("[[bfd]]\nname = %q\nneighbour = %q\ninterface = \"eth0\"\nmin_tx = %q\nmin_rx = %q\nmultiplier = %d\n",
			neighbour, neighbour, fastPace, fastPace, fastMultiplier)
	}
	router.FRRBFD(lab.BFDSession{Neighbour: "10.0.0.2", Source: "10.0.0.1", Interface: "eth0", Interval: fastPace, Multiplier: fastMultiplier})
	a := one.Holdfast(loneRouter(150) + table("10.0.0.3") + table("10.0.0.1"))
	b := two.Holdfast(loneRouter(100) + table("10.0.0.2"))
	falls := map[string]uint64{}
	for _, d := range []*lab.Daemon{a, b} {
		for _, s := range awaitBFD(t, d, "all are up", func(s bfdSession) bool { return isUp(s) && s.DetectionMS == 30 }) {
			falls[s.Name] = s.Downs
		}
	}
	if err := a.StatusInto(&scheduling); err != nil || !scheduling.Realtime {
		tools.Without(t, "netns", fmt.Sprintf("no real-time priority here: %s (%v)", scheduling.RealtimeNote, err))
	}
	capture := seen.Capture()
	since := mark(t, a)
	from, cpu := fastPackets(t, a), usage(t, a)
	hogs := l.Host("hogs")
	for range *bfdHogs * runtime.NumCPU() {
		hogs.Start("sh", "-c", "while :; do :; done")
	}
	for end := time.Now().Add(time.Duration(*bfdSeconds) * time.Second); time.Now().Before(end); time.Sleep(time.Second) {
		if _, err := bfdSessions(b); err != nil {
			t.Error(err)
		}
	}
	packets, cpu := fastPackets(t, a)-from, usage(t, a)-cpu
	if err := capture.Stop(); err != nil {
		t.Error(err)
	}
	t.Logf("%d packets, %v CPU each", packets, cpu/time.Duration(max(packets, 1)))
	gaps := map[string]time.Duration{}
	for _, host := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
		gaps[host] = longestGap(capture.Frames(bfdFrom(host)))
		t.Logf("%s: %v at most between two packets", host, gaps[host])
	}
	for _, e := range events(t, a, since).Of("bfd") {
		if e.Subject != "10.0.0.1" || gaps["10.0.0.1"] < fastPace*fastMultiplier {
			t.Errorf("%v", e)
		}
	}
	for _, d := range []*lab.Daemon{a, b} {
		for _, s := range awaitBFD(t, d, "the sessions", func(bfdSession) bool { return true }) {
			fell := s.Downs - falls[s.Name]
			t.Logf("%s: %d falls", s.Name, fell)
			if fell > 0 && s.Name != "10.0.0.1" {
				t.Errorf("the session with %s fell %d times", s.Name, fell)
			}
		}
	}

	// A director that is stopped for a while knows that it was the cause itself.
	since = mark(t, b)
	b.Signal(unix.SIGSTOP)
	time.Sleep(10 * fastPace * fastMultiplier)
	b.Signal(unix.SIGCONT)
	lab.Wait(t, 20*time.Second, "the stopped director knows why its session fell", func() (string, bool) {
		all := events(t, b, since).Of("bfd").String()
		return all, strings.Contains(all, "Up->Down") && strings.Contains(all, "; this machine was late by")
	})
}

// loneRouter is a configuration of one virtual router.
func loneRouter(priority int) string {
	return fmt.Sprintf("[[vrrp]]\nname = \"outside\"\ninterface = \"eth0\"\nvrid = 51\npriority = %d\ninterval = \"100ms\"\naddresses = [\"10.0.0.100/24\"]\n", priority)
}

// fastPackets returns how many packets a daemon has sent and received.
func fastPackets(t *testing.T, d *lab.Daemon) (n uint64) {
	t.Helper()
	list, err := bfdSessions(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		n += s.Sent + s.Received
	}
	return n
}

func usage(t *testing.T, d *lab.Daemon) time.Duration {
	t.Helper()
	u, err := d.Usage()
	if err != nil {
		t.Fatal(err)
	}
	return u.CPU
}

// bfdFrom matches single-hop BFD packets of a host.
func bfdFrom(host string) func(lab.Frame) bool {
	from := netip.MustParseAddr(host).As4()
	return func(f lab.Frame) bool {
		const ip, udp = 14, 34
		return len(f.Bytes) >= udp+8 && bytes.Equal(f.Bytes[12:14], []byte{8, 0}) && f.Bytes[ip] == 0x45 && f.Bytes[ip+9] == 17 &&
			bytes.Equal(f.Bytes[ip+12:ip+16], from[:]) && bytes.Equal(f.Bytes[udp+2:udp+4], []byte{3784 >> 8, 3784 & 0xff})
	}
}

func longestGap(frames []lab.Frame) (longest time.Duration) {
	for i := 1; i < len(frames); i++ {
		longest = max(longest, frames[i].Time.Sub(frames[i-1].Time))
	}
	return longest
}
