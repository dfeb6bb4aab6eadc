package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// keepalivedPair starts keepalived on both directors; lvs1 is preferred.
func keepalivedPair(p *Pair) []*Process {
	var daemons []*Process
	for i, director := range p.Directors {
		daemons = append(daemons, director.Keepalived(KeepalivedConfig(false, VirtualRouter{
			Name: "outside", Version: 3, Interface: "eth0", VRID: 51, Priority: 200 - 100*i,
			Interval: 100 * time.Millisecond, Addresses: []string{VIP + "/24"}, VMAC: true,
		})))
	}
	return daemons
}

// The lab is right if it shows of keepalived what is known of it: a crash is
// taken over within about three intervals, and the neighbour entry holds.
func TestFailoverIsSeenWhole(t *testing.T) {
	p := NewPair(t, 2)
	keepalivedPair(p)
	neighbour := p.Router.WatchNeighbour(VIP)
	one, two := p.Directors[0].Wires["eth0"].Capture(), p.Directors[1].Wires["eth0"].Capture()
	one.Await(t, unhurried, "lvs1 is MASTER", 3, Advertised(51))
	probe := p.Router.Probe(VIP, time.Millisecond)
	probe.AwaitAnswers(t, unhurried, 100)

	p.Directors[0].Wires["eth0"].BlackHole()
	two.Await(t, unhurried, "lvs2 is MASTER", 1, Advertised(51))
	probe.AwaitAnswers(t, unhurried, 50)

	tally := probe.Stop()
	t.Log(tally)
	if worst := tally.Worst().Duration(); worst < 200*time.Millisecond || worst > 5*time.Second {
		t.Errorf("outage %v, want about 0.3 s", worst)
	}
	if len(neighbour.Seen()) == 0 || neighbour.Seen()[0].MAC != VirtualMAC(51) || neighbour.Err() != nil {
		t.Errorf("neighbour %v, want %v", neighbour, VirtualMAC(51))
	}
	if p.Directors[0].Wires["eth0"].Restore(); tally.Lost == 0 {
		t.Error("no probe was lost")
	}
}

func TestCutIsSeenByTheHost(t *testing.T) {
	p := NewPair(t, 1)
	wire := p.Directors[0].Wires["eth0"]
	carrier := func(want bool) {
		t.Helper()
		Wait(t, unhurried, fmt.Sprintf("carrier %v", want), func() (string, bool) {
			link := p.Directors[0].Run("ip", "link", "show", "eth0")
			return link, strings.Contains(link, "LOWER_UP") == want
		})
	}
	carrier(true)
	wire.Cut()
	carrier(false)
	wire.Replug()
	carrier(true)
}

func TestCrashKillsTheWholeTree(t *testing.T) {
	p := NewPair(t, 2)
	daemons := keepalivedPair(p)
	capture := p.Directors[0].Wires["eth0"].Capture()
	capture.Await(t, unhurried, "lvs1 is MASTER", 1, Advertised(51))
	daemons[0].Crash()
	if pids, err := processesInside(p.Directors[0].ns); err != nil || len(pids) != 0 {
		t.Errorf("processes %v survive (%v)", pids, err)
	}
	// A crashed keepalived says no goodbye, a stopped one does.
	goodbye := func(f Frame) bool { a, ok := f.Advert(); return ok && f.FromHost && a.Priority == 0 }
	if n := capture.Count(goodbye); n != 0 {
		t.Errorf("%d goodbyes of a crashed daemon", n)
	}
	capture = p.Directors[1].Wires["eth0"].Capture()
	capture.Await(t, unhurried, "lvs2 is MASTER", 1, Advertised(51))
	if status := daemons[1].Stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	capture.Await(t, unhurried, "a goodbye", 1, goodbye)
}

func TestNeighbourChangesAreCounted(t *testing.T) {
	l := New(t)
	s := l.Switch("wire")
	a, b := l.Host("a"), l.Host("b")
	a.Plug(s, "eth0", "192.0.2.1/24")
	b.Plug(s, "eth0", "192.0.2.2/24")
	watch := a.WatchNeighbour("192.0.2.2")
	ping := func() { t.Helper(); a.Probe("192.0.2.2", 10*time.Millisecond).AwaitAnswers(t, unhurried, 1) }
	ping()
	a.FlushNeighbours()
	ping()
	if watch.Changes() != 0 {
		t.Errorf("relearning the same MAC: %v", watch)
	}
	b.Run("ip", "link", "set", "eth0", "address", "02:00:00:00:00:99")
	a.FlushNeighbours()
	ping()
	Wait(t, unhurried, "one change", func() (string, bool) { return watch.String(), watch.Changes() == 1 })
}

func TestForgetfulSwitchFloods(t *testing.T) {
	l := New(t)
	s := l.Switch("wire")
	a, b, c := l.Host("a"), l.Host("b"), l.Host("c")
	a.Plug(s, "eth0", "192.0.2.1/24")
	b.Plug(s, "eth0", "192.0.2.2/24")
	bystander := c.Plug(s, "eth0").Capture()
	probe := a.Probe("192.0.2.2", time.Millisecond)
	probe.AwaitAnswers(t, unhurried, 10)
	forB := func(f Frame) bool { return !f.FromHost && f.Destination() == b.Wires["eth0"].MAC }
	before := bystander.Count(forB)
	probe.AwaitAnswers(t, unhurried, 50)
	if n := bystander.Count(forB); n != before {
		t.Errorf("%d frames for b reached c although the switch knows b", n-before)
	}
	for range 20 { // b speaks again at once, and then the switch knows it again
		s.Forget()
		probe.AwaitAnswers(t, unhurried, 2)
	}
	bystander.Await(t, unhurried, "a frame for b at c", before+1, forB)
}

func TestConversationAndWeb(t *testing.T) {
	l := New(t)
	s := l.Switch("wire")
	a, b := l.Host("a"), l.Host("b")
	a.Plug(s, "eth0", "192.0.2.1/24")
	b.Plug(s, "eth0", "192.0.2.2/24")
	b.ServeLines("192.0.2.2:7")
	talk := a.Converse(t, "192.0.2.2:7")
	for range 3 {
		if name, err := talk.Say(unhurried); err != nil || name != "b" {
			t.Fatalf("answer of %q: %v", name, err)
		}
	}
	web := b.ServeHTTP("192.0.2.2:80")
	a.AwaitServers(t, unhurried, "192.0.2.2:80", "b")
	web.SetStatus(503)
	if status, body, err := a.Get("192.0.2.2:80", time.Second); status != 503 || body != "b" || err != nil {
		t.Errorf("status %d, body %q, %v", status, body, err)
	}
	web.Close()
	if _, _, err := a.Get("192.0.2.2:80", time.Second); err == nil {
		t.Error("a closed realserver answers")
	}
}

func TestSnapshotSeesWhatChanges(t *testing.T) {
	l := New(t)
	h := l.Host("a")
	h.Plug(l.Switch("wire"), "eth0", "192.0.2.1/24")
	before := h.Snapshot()
	if diff := before.Diff(h.Snapshot()); diff != "" {
		t.Errorf("nothing changed, but:\n%s", diff)
	}
	h.Sysctl("net/ipv4/conf/eth0/arp_ignore", "1")
	h.Address("eth0", "192.0.2.7/24")
	diff := before.Diff(h.Snapshot())
	for _, want := range []string{"net/ipv4/conf/eth0/arp_ignore", "192.0.2.7/24", "local 192.0.2.7"} {
		if !strings.Contains(diff, want) {
			t.Errorf("%s is not in the difference:\n%s", want, diff)
		}
	}
}

func TestPcapIsReadable(t *testing.T) {
	l := New(t)
	s := l.Switch("wire")
	a, b := l.Host("a"), l.Host("b")
	a.Plug(s, "eth0", "192.0.2.1/24")
	capture := b.Plug(s, "eth0", "192.0.2.2/24").Capture()
	a.Probe("192.0.2.2", 10*time.Millisecond).AwaitAnswers(t, unhurried, 2)
	capture.Await(t, unhurried, "frames of b", 2, SentFrom(b.Wires["eth0"].MAC))
	path := l.WriteFile("x.pcap", "")
	if err := capture.WritePcap(path); err != nil {
		t.Fatal(err)
	}
	out, err := a.Try("tcpdump", "-Z", "root", "-nr", path)
	if err != nil || !strings.Contains(out, "ICMP echo reply") {
		t.Errorf("tcpdump: %v\n%s", err, out)
	}
}

func TestNamespacesVanish(t *testing.T) {
	var pid int
	t.Run("lab", func(t *testing.T) {
		h := New(t).Host("a")
		pid = h.Start("sh", "-c", "sleep 1000 & exec sleep 1000").Pid()
	})
	if err := unix.Kill(pid, 0); err != unix.ESRCH {
		t.Errorf("process %d outlives its lab: %v", pid, err)
	}
}

func TestAccount(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	sent := []time.Time{at(0), at(10), at(20), at(30), at(40), at(50), at(60)}
	for _, c := range []struct {
		name     string
		answered []int
		lost     int
		worst    time.Duration
	}{
		{"all", []int{0, 1, 2, 3, 4, 5, 6}, 0, 0},
		{"one hole", []int{0, 1, 5, 6}, 3, 40 * time.Millisecond},
		{"two holes", []int{0, 2, 5, 6}, 3, 30 * time.Millisecond},
		{"the end", []int{0, 1, 2, 3}, 3, 30 * time.Millisecond},
		{"none", nil, 7, 60 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			answered := map[int]time.Time{}
			for _, n := range c.answered {
				answered[n] = sent[n].Add(time.Millisecond)
			}
			tally := account(sent, answered)
			if tally.Lost != c.lost || tally.Worst().Duration() != c.worst {
				t.Errorf("%d lost, worst %v; want %d, %v", tally.Lost, tally.Worst().Duration(), c.lost, c.worst)
			}
		})
	}
}

func TestStandaloneReturnsFailures(t *testing.T) {
	cleaned := false
	err := Standalone("x", func(string) {}, func(t T) {
		t.Cleanup(func() { cleaned = true })
		t.Fatalf("no %s", "luck")
	})
	if err == nil || err.Error() != "no luck" || !cleaned {
		t.Errorf("error %v, cleaned %v", err, cleaned)
	}
}
