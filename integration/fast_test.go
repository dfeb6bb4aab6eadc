package integration_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// slowAdverts is an interval at which VRRP alone replaces a dead MASTER after 3 s.
const slowAdverts = time.Second

// patientSessions makes a late packet on a busy machine no matter, and detects a dead MASTER
// long before three adverts are missing.
const patientSessions = "[director.fast]\nmin_tx = \"100ms\"\nmin_rx = \"100ms\"\n"

// A fastView is what a director's status says of fast.
type fastView struct {
	State string
	Armed bool
	Why   string
	Peer  string
}

// fastViews asks a daemon about its virtual routers.
func fastViews(d *lab.Daemon) ([]fastView, error) {
	var s struct {
		VRRP []struct {
			State string `json:"state"`
			Fast  *struct {
				Armed bool   `json:"armed"`
				Why   string `json:"why"`
				Peer  string `json:"peer"`
			} `json:"fast"`
		} `json:"vrrp"`
	}
	err := d.StatusInto(&s)
	var all []fastView
	for _, v := range s.VRRP {
		if v.Fast != nil {
			all = append(all, fastView{v.State, v.Fast.Armed, v.Fast.Why, v.Fast.Peer})
		}
	}
	return all, err
}

// awaitArmed waits until every virtual router of a BACKUP counts on its session.
func awaitArmed(t *testing.T, d *lab.Daemon) {
	t.Helper()
	lab.Wait(t, 30*time.Second, "every virtual router counts on its BFD session", func() (string, bool) {
		all, err := fastViews(d)
		return fmt.Sprintf("%+v %v", all, err), len(all) > 0 && !slices.ContainsFunc(all, func(v fastView) bool { return !v.Armed })
	})
}

// becameMaster returns which virtual routers of a daemon became MASTER, and why the last
// one did.
func becameMaster(t *testing.T, d *lab.Daemon) (names []string, reason string) {
	t.Helper()
	events, err := d.Events(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events.Of("instance") {
		if e.To == "MASTER" {
			names, reason = append(names, e.Subject), e.Reason
		}
	}
	return names, reason
}

// Adverts come once a second, and a dead MASTER is replaced as soon as its BFD sessions
// are over: by the next of three directors alone, without a change of MAC address.
func TestFast(t *testing.T) {
	for _, f := range failures {
		if f.name != "power cut" && f.name != "black hole" {
			continue
		}
		for _, variant := range []struct {
			name    string
			options lab.Director
		}{
			{"v3", lab.Director{}},
			{"v3 with IPv6", lab.Director{IPv6: true}},
			{"v2", lab.Director{Version: 2}},
		} {
			t.Run(f.name+"/"+variant.name, func(t *testing.T) {
				t.Parallel()
				o := variant.options
				o.Interval, o.Options = slowAdverts, "fast = true"
				testFast(t, f, o)
			})
		}
	}
}

func testFast(t *testing.T, f failure, options lab.Director) {
	p := lab.NewPair(t, 3)
	macs := watchMACs(p, options.IPv6)
	daemons := directors(t, p, options)
	load := startTraffic(t, p, options.IPv6)
	for _, d := range daemons[1:] {
		awaitArmed(t, d)
	}
	repair := f.do(t, p, daemons[0])
	daemons[1].AwaitState(t, "MASTER")
	load.flows(t)
	for name, tally := range load.stop(t) {
		if worst := tally.Worst().Duration(); name != "DIP2" && worst > slowAdverts {
			t.Errorf("%s: nobody served for %v, although the session was over after some milliseconds", name, worst)
		}
	}
	if _, reason := becameMaster(t, daemons[1]); !strings.Contains(reason, "its BFD session timed out") {
		t.Errorf("lvs2 took over because: %s", reason)
	}
	if names, reason := becameMaster(t, daemons[2]); len(names) > 0 {
		t.Errorf("lvs3 took over %v too: %s", names, reason)
	}
	awaitArmed(t, daemons[2])
	repair()
	daemons[0].AwaitState(t, "MASTER")
	daemons[1].AwaitState(t, "BACKUP")
	awaitArmed(t, daemons[1])
	macs.check(t)
}

// awaitAdverts waits until a daemon has sent so many more adverts.
func awaitAdverts(t *testing.T, d *lab.Daemon, n uint64) {
	t.Helper()
	var first uint64
	d.Await(t, fmt.Sprintf("%d more adverts", n), func(s lab.Status) (string, bool) {
		sent := s.VRRP[0].Counters.AdvertsSent
		if first == 0 {
			first = sent
		}
		return fmt.Sprintf("%d, first %d", sent, first), sent >= first+n
	})
}

// What breaks the BFD session but not the adverts moves nobody: a firewall, a reload, an
// upgrade. A handover and a stop are as without fast.
func TestFastMovesNobody(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	daemons := directors(t, p, lab.Director{Interval: slowAdverts, Options: "fast = true"})
	awaitArmed(t, daemons[1])
	unmoved := func(what string) {
		t.Helper()
		awaitAdverts(t, daemons[0], 4) // longer than VRRP alone would wait
		for i, want := range []int{2, 0} {
			if names, reason := becameMaster(t, daemons[i]); len(names) != want {
				t.Fatalf("%s: lvs%d became MASTER of %v, last because: %s", what, i+1, names, reason)
			}
		}
	}
	for _, args := range []string{"add table inet fw", "add chain inet fw in { type filter hook input priority 0 ; }",
		"add rule inet fw in udp dport 3784 drop"} {
		p.Directors[1].Run("nft", strings.Fields(args)...)
	}
	unmoved("a firewall drops BFD")
	awaitText(t, daemons[1], "plain VRRP")
	p.Directors[1].Run("nft", "delete", "table", "inet", "fw")
	awaitArmed(t, daemons[1])
	for i, d := range daemons {
		if err := d.Reload(); err != nil {
			t.Fatal(err)
		}
		unmoved(fmt.Sprintf("a reload of lvs%d", i+1))
		if _, stderr, err := d.CLI("upgrade"); err != nil {
			t.Fatalf("upgrade: %v %s", err, stderr)
		}
		unmoved(fmt.Sprintf("an upgrade of lvs%d", i+1))
	}
	awaitArmed(t, daemons[1])
	if _, stderr, err := daemons[0].CLI("handover"); err != nil {
		t.Fatalf("handover: %v %s", err, stderr)
	}
	daemons[1].AwaitState(t, "MASTER")
	awaitArmed(t, daemons[0])
}

// keepalived as the MASTER has no BFD session with us: plain VRRP, and it hears nothing
// of which it would complain.
func TestFastBesideKeepalived(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	k := p.Directors[0].Keepalived(lab.KeepalivedConfig(false, lab.VirtualRouter{
		Name: "a", Version: 3, Interface: "eth0", VRID: 51, Priority: 200, Interval: slowAdverts, VMAC: true, Addresses: []string{lab.VIP + "/24"},
	}))
	d := p.Directors[1].Holdfast("[[vrrp]]\nname = \"a\"\ninterface = \"eth0\"\nvrid = 51\npriority = 100\nfast = true\naddresses = [\"" + lab.VIP + "/24\"]\n")
	d.AwaitState(t, "BACKUP")
	awaitText(t, d, "plain VRRP, because there is no BFD session with 10.0.0.2")
	for _, word := range []string{"nvalid", "nexpected"} {
		if text := k.LogText(); strings.Contains(text, word) {
			t.Errorf("keepalived complains:\n%s", text)
		}
	}
	p.Directors[0].PowerCut()
	d.AwaitState(t, "MASTER")
	if _, reason := becameMaster(t, d); !strings.Contains(reason, "no advert from 10.0.0.2") {
		t.Errorf("it took over because: %s", reason)
	}
}

// FRR's vrrpd has no session by itself. One that bfdd has beside it proves nothing about
// vrrpd, which does not answer: plain VRRP, and the status says why.
func TestFastBesideFRR(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	p.Directors[0].FRR(lab.VirtualRouter{Name: "a", Version: 3, Interface: "eth0", VRID: 51, Priority: 200, Interval: slowAdverts, Addresses: []string{lab.VIP + "/24"}})
	p.Directors[0].FRRBFD(lab.BFDSession{Neighbour: "10.0.0.3", Source: "10.0.0.2", Interface: "eth0", Interval: 100 * time.Millisecond, Multiplier: 5})
	d := p.Directors[1].Holdfast("[[vrrp]]\nname = \"a\"\ninterface = \"eth0\"\nvrid = 51\npriority = 100\nfast = true\naddresses = [\"" + lab.VIP + "/24\"]\n")
	d.AwaitState(t, "BACKUP")
	awaitText(t, d, "plain VRRP, because 10.0.0.2 has a BFD session with this router, but does not answer as a MASTER with fast")
	p.Directors[0].PowerCut()
	d.AwaitState(t, "MASTER")
	if _, reason := becameMaster(t, d); !strings.Contains(reason, "no advert from 10.0.0.2") {
		t.Errorf("it took over because: %s", reason)
	}
}
