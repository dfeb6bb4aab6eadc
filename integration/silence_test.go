package integration_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"holdfast/integration/lab"
)

// A BACKUP sends no frame from the virtual MAC, because that would move the MASTER's
// traffic to its own port in every switch. It answers nothing for the virtual
// addresses, even if frames for the virtual MAC reach it.
func TestBackupIsSilent(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	backup := p.Directors[1]
	outside, inside := backup.Wires["eth0"].Capture(), backup.Wires["eth1"].Capture()
	// A long interval: on a busy machine a short one can make the BACKUP speak
	// rightly.
	daemons := directors(t, p, lab.Director{IPv6: true, Interval: time.Second})
	load := startTraffic(t, p, true)

	// The switches forget the virtual MACs, so that frames for them go
	// everywhere; then the router and the realservers forget them, so that they
	// ask everybody.
	master := p.Directors[0].Wires["eth0"].Capture()
	for range 10 {
		p.Outside.Forget()
		p.Inside.Forget()
		load.flows(t)
		for _, h := range []*lab.Host{p.Router, p.Realservers[0], p.Realservers[1]} {
			h.FlushNeighbours()
		}
		load.flows(t)
	}
	master.Await(t, 20*time.Second, "adverts of the MASTER", 4, lab.Advertised(51))
	daemons[1].AwaitState(t, "BACKUP")
	load.stop(t)

	toVirtual := func(f lab.Frame) bool { return !f.FromHost && f.Destination() == lab.VirtualMAC(51) }
	if outside.Count(toVirtual) == 0 {
		t.Error("no frame for the virtual MAC reached the BACKUP: the test tests nothing")
	}
	for name, capture := range map[string]*lab.Capture{"eth0": outside, "eth1": inside} {
		for _, f := range capture.Frames(func(f lab.Frame) bool { return f.FromHost }) {
			if source := f.Source(); source != backup.Wires[name].MAC {
				t.Errorf("%s: the BACKUP sent a frame from %v: % x", name, source, f.Bytes)
			}
			if from, ok := f.Speaker(); ok && isVirtual(from) {
				t.Errorf("%s: the BACKUP spoke for %v: % x", name, from, f.Bytes)
			}
		}
	}
}

func isVirtual(address netip.Addr) bool {
	for _, text := range []string{lab.VIP, lab.DIP, lab.VIP6, lab.DIP6, "fe80::5e:51", "fe80::5e:52"} {
		if address == netip.MustParseAddr(text) {
			return true
		}
	}
	return false
}

// Clients see the virtual MAC also when the director has to resolve them first, and
// when the machine's reverse path filter would drop packets from the macvlan.
func TestStrictMachine(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	for _, h := range p.Directors {
		for _, which := range []string{"all", "default", "eth0", "eth1"} {
			h.Sysctl("net/ipv4/conf/"+which+"/rp_filter", "1")
		}
	}
	macs := watchMACs(p, false)
	directors(t, p, lab.Director{})
	load := startTraffic(t, p, false)
	for range 5 {
		p.Directors[0].FlushNeighbours()
		load.flows(t)
	}
	// Through the director: out by the VIP's side, back by the DIP's.
	p.Router.Route("192.168.0.0/24", lab.VIP)
	through := p.Realservers[0].Probe(lab.RouterIP, 2*time.Millisecond)
	through.AwaitAnswers(t, 20*time.Second, 20)
	load.stop(t)
	macs.check(t)
}

// A clean stop leaves nothing of holdfast on the machine, and neither does a crash
// that is followed by a start and a clean stop.
func TestLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		crash bool
	}{{"stop", false}, {"crash and stop", true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 2)
			for _, h := range p.Directors {
				// Values that are not the kernel's defaults must come back too.
				h.Sysctl("net/ipv4/conf/all/rp_filter", "1")
				h.Sysctl("net/ipv4/conf/eth0/arp_announce", "1")
				h.Sysctl("net/ipv6/conf/eth1/accept_ra", "1")
			}
			var before []lab.Snapshot
			for _, h := range p.Directors {
				before = append(before, h.Snapshot())
			}
			daemons := directors(t, p, lab.Director{IPv6: true})
			if c.crash {
				for _, d := range daemons {
					d.Crash()
				}
				for _, d := range daemons {
					d.Restart()
				}
				daemons[0].AwaitState(t, "MASTER")
				daemons[1].AwaitState(t, "BACKUP")
			}
			for i, h := range p.Directors {
				if diff := before[i].Diff(h.Snapshot()); !strings.Contains(diff, "vrrp4-51") {
					t.Errorf("%s: no device of ours is seen while it runs: the test tests nothing", h.Name)
				}
			}
			for i, d := range daemons {
				if status := d.Stop(); status != 0 {
					t.Errorf("exit status %d", status)
				}
				if diff := before[i].Diff(p.Directors[i].Snapshot()); diff != "" {
					t.Errorf("%s is not as it was:\n%s", p.Directors[i].Name, diff)
				}
			}
		})
	}
}

// What somebody else removes is restored; what somebody else made stays.
func TestRepairsItsDevices(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	daemons := directors(t, p, lab.Director{})
	load := startTraffic(t, p, false)
	host.Address("vrrp4-51", "10.0.0.222/24")

	link, err := host.Link().LinkByName("vrrp4-51")
	if err != nil {
		t.Fatal(err)
	}
	vip := &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(lab.VIP).To4(), Mask: net.CIDRMask(24, 32)}}
	if err := host.Link().AddrDel(link, vip); err != nil {
		t.Fatal(err)
	}
	load.flows(t)
	if addresses := host.Run("ip", "addr", "show", "vrrp4-51"); !strings.Contains(addresses, "10.0.0.222") {
		t.Errorf("an address that is not ours is gone:\n%s", addresses)
	}
	if err := host.Link().LinkDel(link); err != nil {
		t.Fatal(err)
	}
	load.flows(t)
	load.stop(t)
	daemons[0].AwaitState(t, "MASTER")
}
