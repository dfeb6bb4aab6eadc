package integration_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"holdfast/integration/lab"
)

// A damage is what somebody else does to a director's devices.
type damage struct {
	name  string
	do    func(t *testing.T, h *lab.Host)
	whole func(h *lab.Host) (string, bool) // whether it is undone
	// lossless says that nobody can have noticed.
	lossless bool
}

func vmacDevice(t *testing.T, h *lab.Host) netlink.Link {
	t.Helper()
	link, err := h.Link().LinkByName("vrrp4-51")
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func deleteVIP(t *testing.T, h *lab.Host) {
	t.Helper()
	vip := &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(lab.VIP).To4(), Mask: net.CIDRMask(24, 32)}}
	if err := h.Link().AddrDel(vmacDevice(t, h), vip); err != nil {
		t.Fatal(err)
	}
}

func deleteDevice(t *testing.T, h *lab.Host) {
	t.Helper()
	if err := h.Link().LinkDel(vmacDevice(t, h)); err != nil {
		t.Fatal(err)
	}
}

func downDevice(t *testing.T, h *lab.Host) {
	t.Helper()
	if err := h.Link().LinkSetDown(vmacDevice(t, h)); err != nil {
		t.Fatal(err)
	}
}

// deviceServes says whether the device is up with the VIP.
func deviceServes(h *lab.Host) (string, bool) {
	out, err := h.Try("ip", "addr", "show", "dev", "vrrp4-51")
	return out, err == nil && strings.Contains(out, lab.VIP+"/24") && strings.Contains(out, ",UP")
}

// turnBack sets a setting that holdfast has changed to what it was.
func turnBack(path, value string, lossless bool) damage {
	var wanted string
	return damage{
		name: path, lossless: lossless,
		do: func(t *testing.T, h *lab.Host) {
			t.Helper()
			if wanted = sysctl(h, path); wanted == value {
				t.Fatalf("%s is %s already: the test tests nothing", path, value)
			}
			h.Sysctl(path, value)
		},
		whole: func(h *lab.Host) (string, bool) {
			now := sysctl(h, path)
			return now, now == wanted
		},
	}
}

func sysctl(h *lab.Host, path string) (value string) {
	err := h.Do(func() error {
		text, err := os.ReadFile("/proc/sys/" + path)
		value = strings.TrimSpace(string(text))
		return err
	})
	if err != nil {
		return err.Error()
	}
	return value
}

var damages = []damage{
	{name: "VIP deleted", do: deleteVIP, whole: deviceServes},
	{name: "macvlan deleted", do: deleteDevice, whole: deviceServes},
	{name: "macvlan down", do: downDevice, whole: deviceServes},
	{name: "addresses flushed", whole: deviceServes, do: func(_ *testing.T, h *lab.Host) {
		h.Run("ip", "addr", "flush", "dev", "vrrp4-51")
	}},
	turnBack("net/ipv4/conf/eth0/arp_ignore", "0", true),
	turnBack("net/ipv4/conf/vrrp4-51/rp_filter", "1", false), // drops what comes to the VIP
}

// What somebody else breaks is mended within a second. The MASTER stays it and
// says what it did.
func TestMends(t *testing.T) {
	p := lab.NewPair(t, 2)
	for _, which := range []string{"all", "default", "eth0", "eth1"} {
		p.Directors[0].Sysctl("net/ipv4/conf/"+which+"/rp_filter", "1")
	}
	daemons := directors(t, p, lab.Director{})
	for _, c := range damages {
		t.Run(c.name, func(t *testing.T) {
			probe := p.Router.Probe(lab.VIP, time.Millisecond)
			probe.AwaitAnswers(t, 20*time.Second, 20)
			macs := watchMACs(p, false)
			own, others := mark(t, daemons[0]), mark(t, daemons[1])
			began := time.Now()
			c.do(t, p.Directors[0])
			lab.Wait(t, time.Second, "repair", func() (string, bool) { return c.whole(p.Directors[0]) })
			t.Logf("mended within %v", time.Since(began).Round(time.Millisecond))
			probe.AwaitAnswers(t, 20*time.Second, 20)
			adverts(t, p.Directors[0], 5)

			tally := probe.Stop()
			t.Logf("%v", tally)
			if worst := tally.Worst().Duration(); worst > time.Second {
				t.Errorf("the VIP was away for %v", worst)
			}
			if c.lossless && tally.Lost > 0 {
				t.Errorf("%d packets lost", tally.Lost)
			}
			stayed(t, "the MASTER", daemons[0], own)
			stayed(t, "the BACKUP", daemons[1], others)
			if told := events(t, daemons[0], own).Of("repair"); len(told) == 0 {
				t.Errorf("no event of the repair:\n%v", events(t, daemons[0], own))
			}
			delete(macs.entries, "rs1 "+lab.DIP) // nobody has asked for it here
			delete(macs.entries, "rs2 "+lab.DIP)
			macs.check(t)
		})
	}
}

// A BACKUP's device is made again too, and stays as silent as it was.
func TestMendsBackup(t *testing.T) {
	p := lab.NewPair(t, 2)
	daemons := directors(t, p, lab.Director{})
	v := keepVigil(t, p)
	capture := p.Directors[1].Wires["eth0"].Capture()
	deleteDevice(t, p.Directors[1])
	lab.Wait(t, time.Second, "repair", func() (string, bool) {
		out, err := p.Directors[1].Try("ip", "link", "show", "dev", "vrrp4-51")
		return out, err == nil
	})
	p.Directors[1].Run("ip", "link", "set", "vrrp4-51", "up")
	lab.Wait(t, time.Second, "repair", func() (string, bool) {
		out := p.Directors[1].Run("ip", "link", "show", "dev", "vrrp4-51")
		return out, !strings.Contains(out, ",UP")
	})
	adverts(t, p.Directors[0], 5)
	if n := capture.Count(lab.SentFrom(lab.VirtualMAC(51))); n > 0 {
		t.Errorf("%d frames from the BACKUP's virtual MAC", n)
	}
	// It is good for the real thing.
	obeyed(t, daemons[0], "handover")
	daemons[1].AwaitState(t, "MASTER")
	v.end(t)
}

// Another router that speaks as MASTER, with a lower priority, is answered,
// seen in the status and told of when it comes and when it goes.
func TestRival(t *testing.T) {
	p := lab.NewPair(t, 2)
	daemons := directors(t, p, lab.Director{})
	v := keepVigil(t, p)
	own, others := mark(t, daemons[0]), mark(t, daemons[1])
	const address, priority = "10.0.0.88", 50
	wire := p.Host("rival").Plug(p.Outside, "eth0", address+"/24")
	silence := wire.Repeat(wire.VRRPv3(address, 51, priority, fast, lab.VIP), fast)

	rival := func() string {
		var seen struct {
			VRRP []struct {
				Name  string `json:"name"`
				Rival *struct {
					Address  string `json:"address"`
					Priority int    `json:"priority"`
				} `json:"rival"`
			} `json:"vrrp"`
		}
		if err := daemons[0].StatusInto(&seen); err != nil {
			t.Fatal(err)
		}
		for _, router := range seen.VRRP {
			if router.Name == "outside" && router.Rival != nil {
				return fmt.Sprintf("%s (priority %d)", router.Rival.Address, router.Rival.Priority)
			}
		}
		return ""
	}
	name := fmt.Sprintf("%s (priority %d)", address, priority)
	lab.Wait(t, 5*time.Second, "the rival in the status", func() (string, bool) { return rival(), rival() == name })
	adverts(t, p.Directors[0], 10)
	silence()
	lab.Wait(t, 5*time.Second, "no rival in the status", func() (string, bool) { return rival(), rival() == "" })

	told := events(t, daemons[0], own).Of("rival")
	if len(told) != 2 || !strings.Contains(told[0].Reason, name) || !strings.Contains(told[1].Reason, "silent") {
		t.Errorf("want one event of the rival's coming and one of its going:\n%v", told)
	}
	stayed(t, "the MASTER", daemons[0], own)
	stayed(t, "the BACKUP", daemons[1], others)
	v.end(t)
}
