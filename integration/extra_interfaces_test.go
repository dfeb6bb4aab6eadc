package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// inner is an address on the inner wire of a virtual router on the outer one.
const inner = "192.168.0.100"

// spread is the configuration of that virtual router.
func spread(priority int, on, options string) string {
	return fmt.Sprintf("[[vrrp]]\nname = \"outside\"\ninterface = \"eth0\"\nvrid = 51\npriority = %d\ninterval = \"100ms\"\n"+
		"addresses = [\"%s/24\", { address = \"%s/24\"%s }]\n%s\n", priority, lab.VIP, inner, on, options)
}

const onInside = ", interface = \"eth1\""

// pings has a host reach the address, and returns the MAC that it found it at.
func pings(t *testing.T, from *lab.Host, address string) lab.MAC {
	t.Helper()
	probe := from.Probe(address, 20*time.Millisecond)
	defer probe.Stop()
	probe.AwaitAnswers(t, 10*time.Second, 3)
	mac, _ := from.Neighbour(address)
	return mac
}

// An address on another interface is on a macvlan there with the same virtual MAC.
// It moves with the other addresses and is announced on its own interface. When that
// interface fails, the whole virtual router moves.
func TestAddressOnAnotherInterface(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	wire := p.Realservers[0].Wires["eth0"].Capture()
	var daemons []*lab.Daemon
	for i, host := range p.Directors {
		daemons = append(daemons, host.Holdfast(spread(200-i, onInside, "garp = { refresh = \"1s\", delay = \"0s\" }")))
		daemons[i].AwaitState(t, []string{"MASTER", "BACKUP"}[i])
	}
	link := p.Directors[0].Run("ip", "-d", "-o", "link", "show", "vrrp4-51-eth1")
	for _, want := range []string{"vrrp4-51-eth1@eth1", "00:00:5e:00:01:33", "mode bridge", "state UP", "holdfast outside"} {
		if !strings.Contains(link, want) {
			t.Errorf("the device lacks %q: %s", want, link)
		}
	}
	if addresses := p.Directors[0].Run("ip", "-o", "-4", "addr", "show", "dev", "vrrp4-51-eth1"); !strings.Contains(addresses, inner+"/24") {
		t.Errorf("addresses:\n%s", addresses)
	}
	if idle := p.Directors[1].Run("ip", "-o", "link", "show", "vrrp4-51-eth1"); !strings.Contains(idle, "state DOWN") {
		t.Errorf("a BACKUP has %s", idle)
	}
	if v := strings.TrimSpace(p.Directors[0].Run("sysctl", "-n", "net.ipv4.conf.eth1.arp_ignore")); v != "1" {
		t.Errorf("arp_ignore of eth1 is %s", v)
	}
	if seen := pings(t, p.Realservers[0], inner); seen != lab.VirtualMAC(51) {
		t.Errorf("the realserver found it at %v", seen)
	}
	announced := func(f lab.Frame) bool {
		address, mac, ok := f.Announcement()
		return ok && address.String() == inner && mac == lab.VirtualMAC(51) && f.Source() == mac
	}
	wire.Await(t, 20*time.Second, "refreshing announcements", wire.Count(announced)+2, announced)
	if text, _, _ := daemons[0].CLI("status"); !strings.Contains(text, inner+"/24 on vrrp4-51-eth1") {
		t.Errorf("status does not say:\n%s", text)
	}

	p.Directors[0].Wires["eth1"].Cut()
	daemons[0].AwaitState(t, "FAULT")
	daemons[1].AwaitState(t, "MASTER")
	if text, _, _ := daemons[0].CLI("status"); !strings.Contains(text, "interface eth1, where it has addresses, has no carrier") {
		t.Errorf("status does not say:\n%s", text)
	}
	p.Realservers[0].FlushNeighbours()
	if seen := pings(t, p.Realservers[0], inner); seen != lab.VirtualMAC(51) {
		t.Errorf("the realserver found it at %v", seen)
	}
	p.Directors[0].Wires["eth1"].Replug()
	daemons[0].AwaitState(t, "MASTER")
	daemons[1].AwaitState(t, "BACKUP")
	pings(t, p.Realservers[0], inner)

	// Somebody's hand, and a crash.
	p.Directors[0].Run("ip", "link", "del", "vrrp4-51-eth1")
	pings(t, p.Realservers[1], inner)
	daemons[0].Crash()
	daemons[1].AwaitState(t, "MASTER")
	if out, _, err := daemons[0].CLI("release"); err != nil {
		t.Errorf("release: %v %s", err, out)
	}
	if left := p.Directors[0].Run("ip", "-o", "link", "show"); strings.Contains(left, "vrrp4-51") {
		t.Errorf("left behind:\n%s", left)
	}
	daemons[1].Stop()
	if left := p.Directors[1].Run("ip", "-o", "link", "show"); strings.Contains(left, "vrrp4-51") {
		t.Errorf("left behind:\n%s", left)
	}
}

// A reload moves an address of a MASTER to another interface and back.
func TestReloadMovesAddressToOtherInterface(t *testing.T) {
	t.Parallel()
	for _, mac := range []string{"vrrp", "interface"} {
		t.Run(mac, func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 1)
			options := fmt.Sprintf("mac = %q", mac)
			mine := p.Directors[0].Holdfast(spread(200, "", options))
			mine.AwaitState(t, "MASTER")
			before := transitions(t, mine)
			wire := p.Realservers[0].Wires["eth0"].Capture()
			reload := func(config string) {
				t.Helper()
				mine.Configure(config)
				if err := mine.Reload(); err != nil {
					t.Fatal(err)
				}
			}
			reload(spread(200, onInside, options))
			wire.Await(t, 10*time.Second, "an announcement", 1, func(f lab.Frame) bool {
				address, _, ok := f.Announcement()
				return ok && address.String() == inner
			})
			pings(t, p.Realservers[0], inner)
			reload(spread(200, "", options))
			lab.Wait(t, 10*time.Second, "the address is back", func() (string, bool) {
				all := p.Directors[0].Run("ip", "-o", "-4", "addr", "show")
				var on []string
				for line := range strings.Lines(all) {
					if words := strings.Fields(line); strings.HasPrefix(words[3], inner) {
						on = append(on, words[1])
					}
				}
				want := map[string]string{"vrrp": "vrrp4-51", "interface": "eth0"}[mac]
				return all, len(on) == 1 && on[0] == want
			})
			if links := p.Directors[0].Run("ip", "-o", "link", "show"); strings.Contains(links, "vrrp4-51-") {
				t.Errorf("left behind:\n%s", links)
			}
			if after := transitions(t, mine); after != before {
				t.Errorf("%d transitions", after-before)
			}
			mine.Configure(spread(200, ", interface = \"eth9\"", options))
			if err := mine.Reload(); err == nil || !strings.Contains(err.Error(), "vrrp.outside.addresses: there is no interface eth9 here") {
				t.Errorf("reload with an unknown interface: %v", err)
			}
		})
	}
}
