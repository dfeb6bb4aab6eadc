package integration_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// tshark finds no malformed packet and no bad checksum in what holdfast sends.
func TestTsharkFindsNothingWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		options lab.Director
		want    []string // display filters that must find something
	}{
		{"v3", lab.Director{IPv6: true}, []string{
			"vrrp.version == 3 && ip", "vrrp.version == 3 && ipv6", "vrrp.prio == 0",
			"arp.isgratuitous", "icmpv6.type == 136 && icmpv6.nd.na.flag.s == 0",
		}},
		{"v2", lab.Director{Version: 2, Interval: time.Second}, []string{"vrrp.version == 2", "vrrp.prio == 0", "arp.isgratuitous"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := tools.Find("tshark"); err != nil {
				tools.Without(t, "netns", err)
			}
			p := lab.NewPair(t, 2)
			wire := p.Router.Wires["eth0"].Capture() // multicast reaches everybody
			inside := p.Realservers[0].Wires["eth0"].Capture()
			daemons := directors(t, p, c.options)
			daemons[0].Signal(unix.SIGTERM)
			daemons[1].AwaitState(t, "MASTER")
			wire.Await(t, 20*time.Second, "adverts of the second director", 3, func(f lab.Frame) bool {
				a, ok := f.Advert()
				return ok && a.VRID == 51 && a.Priority == 150
			})
			for name, capture := range map[string]*lab.Capture{"outside": wire, "inside": inside} {
				path := filepath.Join(p.Dir(), name+".pcap")
				if err := capture.WritePcap(path); err != nil {
					t.Fatal(err)
				}
				if wrong := tshark(t, p, path, complaints); wrong != "" {
					t.Errorf("%s: tshark objects to\n%s", name, wrong)
				}
			}
			for _, filter := range c.want {
				if tshark(t, p, filepath.Join(p.Dir(), "outside.pcap"), filter) == "" {
					t.Errorf("tshark finds no packet with %s", filter)
				}
			}
		})
	}
}

// complaints matches what tshark finds wrong. Traffic of the kernel itself is
// left out: on a veth its checksums are never computed.
const complaints = "(vrrp || arp || icmpv6) && (_ws.malformed || _ws.expert.severity >= 0x00600000 || vrrp.checksum.status == 0 || " +
	"ip.checksum.status == 0 || icmpv6.checksum.status == 0)"

func tshark(t *testing.T, p *lab.Pair, path, filter string) string {
	t.Helper()
	stdout, stderr, err := p.Router.Output("tshark", "-n", "-r", path, "-o", "ip.check_checksum:TRUE", "-Y", filter)
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, stderr)
	}
	return strings.TrimSpace(stdout)
}

// Adverts leave with the virtual MAC as source, the director's own address,
// and a hop limit of 255.
func TestAdvertsOnTheWire(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	wire := p.Directors[0].Wires["eth0"].Capture()
	directors(t, p, lab.Director{IPv6: true})
	isAdvert := func(f lab.Frame) bool { _, ok := f.Advert(); return ok }
	wire.Await(t, 20*time.Second, "adverts", 10, isAdvert)
	families := map[bool]int{}
	for _, f := range wire.Frames(isAdvert) {
		a, _ := f.Advert()
		families[a.Source.Is4()]++
		want := lab.VirtualMAC(51)
		if a.Source.Is6() {
			want = lab.VirtualMAC6(51)
		}
		if f.Source() != want || a.HopLimit != 255 || a.VRID != 51 || a.Version != 3 || a.Priority != 200 {
			t.Errorf("advert %+v from %v", a, f.Source())
		}
		if a.Source.Is4() && a.Source.String() != "10.0.0.2" || a.Source.Is6() && !a.Source.IsLinkLocalUnicast() {
			t.Errorf("advert from address %v", a.Source)
		}
	}
	if families[true] == 0 || families[false] == 0 {
		t.Errorf("adverts by family: %v", families)
	}
	// Addresses are on before the first advert draws traffic; announcements follow.
	frames := wire.Frames(func(f lab.Frame) bool { return f.FromHost })
	announced := map[string]bool{}
	for _, f := range frames {
		if address, mac, ok := f.Announcement(); ok {
			announced[address.String()] = true
			if address.Is4() && mac != lab.VirtualMAC(51) || address.Is6() && mac != lab.VirtualMAC6(51) {
				t.Errorf("%v is announced at %v", address, mac)
			}
		}
	}
	for _, address := range []string{lab.VIP, lab.VIP6} {
		if !announced[address] {
			t.Errorf("%s is never announced: %v", address, announced)
		}
	}
}
