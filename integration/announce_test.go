package integration_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// A MASTER announces its addresses at once, and again after the delay, when
// neighbours may know another MAC or another way to it: its interface has another
// MAC, an address was put back that somebody had deleted, or a carrier came back.
func TestAnnouncesAgain(t *testing.T) {
	t.Parallel()
	newMAC := lab.MAC{0x02, 0xaa, 0, 0, 0, 7}
	for _, c := range []struct {
		name, options string
		from          *lab.MAC // the MAC announced; nil: any
		change        func(t *testing.T, h *lab.Host)
	}{
		{"another MAC", `mac = "interface"`, &newMAC, func(t *testing.T, h *lab.Host) {
			link, err := h.Link().LinkByName("eth0")
			if err != nil {
				t.Fatal(err)
			}
			if err := h.Link().LinkSetHardwareAddr(link, net.HardwareAddr(newMAC[:])); err != nil {
				t.Fatal(err)
			}
		}},
		{"an address put back", "", nil, deleteVIP},
		{"carrier", "track_link = false", nil, func(t *testing.T, h *lab.Host) {
			h.Wires["eth0"].Cut()
			lab.Wait(t, 10*time.Second, "the end of the carrier", func() (string, bool) {
				links := h.Run("ip", "-o", "link", "show", "dev", "vrrp4-51")
				return links, strings.Contains(links, "NO-CARRIER") || strings.Contains(links, "LOWERLAYERDOWN")
			})
			h.Wires["eth0"].Replug()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 1)
			wire := p.Router.Wires["eth0"].Capture()
			d := p.Directors[0].Holdfast(fmt.Sprintf("[[vrrp]]\nname = \"outside\"\ninterface = \"eth0\"\nvrid = 51\ninterval = \"100ms\"\n"+
				"addresses = [\"%s/24\"]\ngarp = { repeat = 2, delay = \"1500ms\", refresh = \"0s\" }\n%s\n", lab.VIP, c.options))
			d.AwaitState(t, "MASTER")
			pings(t, p.Router, lab.VIP)
			// The takeover: two bursts, each of two rounds of a request and a reply.
			wire.Await(t, 10*time.Second, "the takeover", 8, func(f lab.Frame) bool {
				address, _, ok := f.Announcement()
				return ok && address.String() == lab.VIP
			})
			announced := func(f lab.Frame) bool {
				address, mac, ok := f.Announcement()
				return ok && address.String() == lab.VIP && (c.from == nil || mac == *c.from)
			}
			made := transitions(t, d)
			before, began := wire.Count(announced), time.Now()
			c.change(t, p.Directors[0])
			wire.Await(t, 10*time.Second, "the first burst", before+4, announced)
			pings(t, p.Router, lab.VIP)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v until the address was reached again", took)
			}
			wire.Await(t, 10*time.Second, "the burst after the delay", before+8, announced)
			if n := transitions(t, d); n != made {
				t.Errorf("%d transitions meanwhile", n-made)
			}
		})
	}
}
