package integration_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// rivalOf is how the status shows the rival of a virtual router; "": it has none.
func rivalOf(t *testing.T, d *lab.Daemon, router string) string {
	t.Helper()
	var seen struct {
		VRRP []struct {
			Name  string `json:"name"`
			Rival *struct {
				Address  string `json:"address"`
				MAC      string `json:"mac"`
				Priority int    `json:"priority"`
			} `json:"rival"`
		} `json:"vrrp"`
	}
	if err := d.StatusInto(&seen); err != nil {
		t.Fatal(err)
	}
	for _, v := range seen.VRRP {
		if v.Name == router && v.Rival != nil {
			return fmt.Sprintf("%s (priority %d) at %s", v.Rival.Address, v.Rival.Priority, v.Rival.MAC)
		}
	}
	return ""
}

func awaitRival(t *testing.T, d *lab.Daemon, router, want string) {
	t.Helper()
	lab.Wait(t, 20*time.Second, fmt.Sprintf("rival %q of %s", want, router), func() (string, bool) {
		got := rivalOf(t, d, router)
		return got, got == want
	})
}

// checkRivalEvents fails the test unless the daemon reported one rival, when it came
// and when it went.
func checkRivalEvents(t *testing.T, d *lab.Daemon, since uint64, router, address string, mac lab.MAC) {
	t.Helper()
	var told lab.Journal
	for _, e := range events(t, d, since).Of("rival") {
		if e.Subject == router {
			told = append(told, e)
		}
	}
	if len(told) != 2 || told[0].To != "seen" || told[1].To != "gone" || !strings.Contains(told[0].Reason, address) {
		t.Errorf("want one event of the coming of %s and one of its going:\n%v", address, told)
		return
	}
	for _, e := range told {
		if e.Detail["address"] != address || e.Detail["mac"] != mac.String() {
			t.Errorf("%v tells of %v, not of %s at %v", e, e.Detail, address, mac)
		}
	}
}

// Another router that sends adverts as MASTER with a lower priority is answered, and
// is shown in the status. An event reports when it comes and when it goes.
func TestRival(t *testing.T) {
	p := lab.NewPair(t, 2)
	daemons := directors(t, p, lab.Director{})
	v := keepVigil(t, p)
	own, others := mark(t, daemons[0]), mark(t, daemons[1])
	const address, priority = "10.0.0.88", 50
	wire := p.Host("rival").Plug(p.Outside, "eth0", address+"/24")
	silence := wire.Repeat(wire.VRRPv3(address, 51, priority, fast, lab.VIP), fast)

	want := fmt.Sprintf("%s (priority %d) at %v", address, priority, wire.MAC)
	awaitRival(t, daemons[0], "outside", want)
	adverts(t, p.Directors[0], 10)
	silence()
	awaitRival(t, daemons[0], "outside", "")

	checkRivalEvents(t, daemons[0], own, "outside", address, wire.MAC)
	stayed(t, "the MASTER", daemons[0], own)
	stayed(t, "the BACKUP", daemons[1], others)
	v.end(t)
}

// A keepalived without a virtual MAC and with a lower priority hears no adverts and
// becomes MASTER beside ours. Routers that believed its gratuitous ARP are corrected
// when it comes and when it goes.
func TestRivalKeepalived(t *testing.T) {
	t.Parallel()
	// A MASTER that a busy machine keeps from its adverts for three intervals
	// would yield to the rival.
	const unhurried = time.Second
	p := lab.NewPair(t, 1)
	one := p.Directors[0].Holdfast(lab.Director{
		Priority: 200, Interval: unhurried, IPv6: true, Options: "garp = { repeat = 1, delay = \"0s\" }",
	}.TOML())
	one.AwaitState(t, "MASTER")
	own := mark(t, one)
	watch := p.Router.WatchNeighbour(lab.VIP)
	p.Router.Probe(lab.VIP, 10*time.Millisecond).AwaitAnswers(t, 20*time.Second, 10)
	capture := p.Directors[0].Wires["eth0"].Capture()

	host := p.Host("rival")
	wire := host.Plug(p.Outside, "eth0", "10.0.0.88/24", "2001:db8:a::88/64")
	linkLocal := linkLocal(wire.MAC)
	wire.Deafen()
	process := host.Keepalived(lab.KeepalivedConfig(false,
		lab.VirtualRouter{
			Name: "v4", Version: 3, Interface: "eth0", VRID: 51, Priority: 50,
			Interval: unhurried, Addresses: []string{lab.VIP + "/24"},
		},
		lab.VirtualRouter{
			Name: "v6", Version: 3, Interface: "eth0", VRID: 51, Priority: 60,
			Interval: unhurried, Addresses: []string{"fe80::5e:51", lab.VIP6 + "/64"},
		}))
	awaitRival(t, one, "outside", fmt.Sprintf("10.0.0.88 (priority 50) at %v", wire.MAC))
	awaitRival(t, one, "outside6", fmt.Sprintf("%s (priority 60) at %v", linkLocal, wire.MAC))
	if text, _, _ := one.CLI("status"); !strings.Contains(text, "rival 10.0.0.88 at "+wire.MAC.String()+" with priority 50") {
		t.Errorf("the status does not show the rival:\n%s", text)
	}
	announced := func(address string, mac lab.MAC) func(lab.Frame) bool {
		return func(f lab.Frame) bool {
			a, m, ok := f.Announcement()
			return ok && f.FromHost && a.String() == address && m == mac
		}
	}
	v4, v6 := announced(lab.VIP, lab.VirtualMAC(51)), announced(lab.VIP6, lab.VirtualMAC6(51))
	capture.Await(t, 20*time.Second, "gratuitous ARP at the coming", 2, v4) // a request and a reply
	capture.Await(t, 20*time.Second, "neighbour advertisements at the coming", 1, v6)
	lab.Wait(t, 20*time.Second, "the router is misled", func() (string, bool) {
		return fmt.Sprint(watch.Seen()), believes(watch, wire.MAC)
	})

	process.Crash()
	host.Run("ip", "address", "flush", "dev", "eth0")
	awaitRival(t, one, "outside", "")
	awaitRival(t, one, "outside6", "")
	capture.Await(t, 20*time.Second, "gratuitous ARP at the going", 4, v4)
	capture.Await(t, 20*time.Second, "neighbour advertisements at the going", 2, v6)
	lab.Wait(t, 20*time.Second, "the router knows better", func() (string, bool) {
		return fmt.Sprint(watch.Seen()), believes(watch, lab.VirtualMAC(51))
	})
	checkRivalEvents(t, one, own, "outside", "10.0.0.88", wire.MAC)
	checkRivalEvents(t, one, own, "outside6", linkLocal, wire.MAC)
	stayed(t, "the MASTER", one, own)
}

// linkLocal is the address that a kernel makes of a MAC address (RFC 4291, A).
func linkLocal(m lab.MAC) string {
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]}).String()
}

// believes reports whether mac is what a host believes now.
func believes(w *lab.NeighbourWatch, mac lab.MAC) bool {
	seen := w.Seen()
	return len(seen) > 0 && seen[len(seen)-1].MAC == mac
}
