package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
)

// A kind is one of the many virtual routers that two directors run at once.
type kind struct {
	name      string
	device    string
	vrid      byte
	version   int    // 0: 3
	addresses string // the last of them is looked at
	more      string // further lines, %PEER is the other director
	mac       lab.MAC
	moves     bool // the MAC address is the interface's own
}

var kinds = []kind{
	{name: "one", device: "eth0", vrid: 51, addresses: `"10.0.0.51/24"`, mac: lab.VirtualMAC(51)},
	// The same VRID on the same wire for the other family, and on another wire.
	{name: "one-IPv6", device: "eth0", vrid: 51, addresses: `"fe80::100/64", "2001:db8:a::51/64"`, mac: lab.VirtualMAC6(51)},
	{name: "one-inside", device: "eth1", vrid: 51, addresses: `"192.168.0.51/24"`, mac: lab.VirtualMAC(51)},
	// The same link-local address as on the other wire: it is looked at.
	{name: "one-IPv6-inside", device: "eth1", vrid: 51, addresses: `"fe80::100/64"`, mac: lab.VirtualMAC6(51)},
	// Others beside it.
	{name: "two", device: "eth0", vrid: 52, addresses: `"10.0.0.52/24", "10.0.0.152/24"`, mac: lab.VirtualMAC(52)},
	{name: "two-IPv6", device: "eth0", vrid: 52, addresses: `"fe80::52/64"`, mac: lab.VirtualMAC6(52)},
	{name: "old", device: "eth0", vrid: 53, version: 2, addresses: `"10.0.0.53/24"`, mac: lab.VirtualMAC(53)},
	// By unicast.
	{name: "unicast", device: "eth0", vrid: 54, addresses: `"10.0.0.54/24"`, more: "unicast = true\npeers = [%PEER]", mac: lab.VirtualMAC(54)},
	{name: "unicast-IPv6", device: "eth0", vrid: 54, addresses: `"fe80::54/64", "2001:db8:a::54/64"`, more: "unicast = true\npeers = [%PEER]", mac: lab.VirtualMAC6(54)},
	{name: "unicast-old", device: "eth0", vrid: 55, version: 2, addresses: `"10.0.0.55/24"`, more: "unicast = true\npeers = [%PEER]", mac: lab.VirtualMAC(55)},
	// Other MAC addresses than the protocol's. A private one is not known here,
	// but it must stay what it is.
	{name: "private", device: "eth0", vrid: 56, addresses: `"10.0.0.56/24"`, more: `mac = "private"`},
	{name: "private-IPv6", device: "eth0", vrid: 56, addresses: `"fe80::56/64", "2001:db8:a::56/64"`, more: `mac = "private"`},
	{name: "chosen", device: "eth0", vrid: 57, addresses: `"10.0.0.57/24"`, more: `mac = "02:12:34:56:78:9a"`, mac: lab.MAC{2, 0x12, 0x34, 0x56, 0x78, 0x9a}},
	{name: "none", device: "eth0", vrid: 58, addresses: `"10.0.0.58/24"`, more: `mac = "interface"`, moves: true},
	{name: "none-IPv6", device: "eth0", vrid: 58, addresses: `"fe80::58/64", "2001:db8:a::58/64"`, more: `mac = "interface"`, moves: true},
}

func (k kind) ipv6() bool { return strings.Contains(k.addresses, ":") }

// address is the last one.
func (k kind) address() string {
	list := strings.Split(k.addresses, `"`)
	bare, _, _ := strings.Cut(list[len(list)-2], "/")
	return bare
}

func (k kind) config(p *lab.Pair, director int) string {
	version := 3
	if k.version != 0 {
		version = k.version
	}
	peer := fmt.Sprintf("%q", own(p.Directors[1-director], k.ipv6()))
	return fmt.Sprintf("[[vrrp]]\nname = %q\ninterface = %q\nvrid = %d\nversion = %d\npriority = %d\ninterval = %q\naddresses = [%s]\n%s\n",
		k.name, k.device, k.vrid, version, priorities[director], peerInterval(version), k.addresses, strings.ReplaceAll(k.more, "%PEER", peer))
}

// A lookout is where a kind's address is looked at from.
type lookout struct {
	probe *lab.Probe
	watch *lab.NeighbourWatch
}

// Two directors run virtual routers of every kind side by side, and each moves from
// one director to the other and back.
func TestEveryKindTogether(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	var config [2]strings.Builder
	lookouts := map[string]lookout{}
	for _, k := range kinds {
		for i := range config {
			config[i].WriteString(k.config(p, i))
		}
		from, address := p.Router, k.address()
		if k.device == "eth1" {
			from = p.Realservers[0]
		}
		l := lookout{watch: from.WatchNeighbour(address)}
		if strings.HasPrefix(address, "fe80") {
			address += "%eth0"
		}
		l.probe = from.Probe(address, 5*time.Millisecond)
		lookouts[k.name] = l
	}
	var daemons []*lab.Daemon
	for i, h := range p.Directors {
		daemons = append(daemons, h.Holdfast(config[i].String()))
		daemons[i].AwaitState(t, []string{"MASTER", "BACKUP"}[i])
	}
	serve := func(step string, who int) {
		t.Helper()
		daemons[who].AwaitState(t, "MASTER")
		if daemons[1-who].Alive() {
			daemons[1-who].AwaitState(t, "BACKUP")
		}
		t.Run(step, func(t *testing.T) { everyKindServes(t, p, who, lookouts) })
		for _, d := range daemons {
			if d.Alive() {
				accepted(t, d)
			}
		}
	}
	serve("start", 0)
	daemons[0].Crash()
	serve("crash", 1)
	daemons[0].Restart()
	serve("return", 0)
	daemons[0].Signal(unix.SIGTERM)
	if status := daemons[0].Wait(20 * time.Second); status != 0 {
		t.Errorf("exit status %d", status)
	}
	serve("stop", 1)
	daemons[0].Restart()
	serve("return again", 0)

	for _, k := range kinds {
		l := lookouts[k.name]
		t.Logf("%s: %v", k.name, l.probe.Stop())
		if err := l.watch.Err(); err != nil {
			t.Error(err)
		}
		seen := l.watch.Seen()
		switch {
		case len(seen) == 0:
			t.Errorf("%s: %s was never resolved", k.name, k.address())
		case k.moves:
			if n := l.watch.Changes(); n != 4 {
				t.Errorf("%s: %d changes of the MAC address, want 4: %v", k.name, n, l.watch)
			}
		case len(seen) > 1 || k.mac != lab.MAC{} && seen[0].MAC != k.mac:
			t.Errorf("%s: %v, want only %v", k.name, l.watch, k.mac)
		case seen[0].MAC[0]&3 != 2 && k.mac == lab.MAC{}:
			t.Errorf("%s: %v is no locally administered address", k.name, seen[0].MAC)
		}
	}
}

// everyKindServes looks for adverts of one director alone, from the right MAC
// address, and for answers.
func everyKindServes(t *testing.T, p *lab.Pair, who int, lookouts map[string]lookout) {
	captures := map[string][2]*lab.Capture{}
	for _, device := range []string{"eth0", "eth1"} {
		captures[device] = [2]*lab.Capture{p.Directors[who].Wires[device].Capture(), p.Directors[1-who].Wires[device].Capture()}
	}
	for _, k := range kinds {
		advert := func(f lab.Frame) bool {
			a, ok := f.Advert()
			return ok && f.FromHost && a.VRID == k.vrid && a.Source.Is6() == k.ipv6()
		}
		mine, other := captures[k.device][0], captures[k.device][1]
		mine.Await(t, 20*time.Second, k.name+": adverts", 3, advert)
		if n := other.Count(advert); n > 0 {
			t.Errorf("%s: %d adverts of the other director", k.name, n)
		}
		unicast := strings.Contains(k.more, "unicast")
		for _, f := range mine.Frames(advert) {
			if unicast != (f.Destination()[0]&1 == 0) {
				t.Errorf("%s: an advert to %v", k.name, f.Destination())
			}
			own := k.moves || unicast
			if mac := p.Directors[who].Wires[k.device].MAC; own != (f.Source() == mac) || !own && k.mac != (lab.MAC{}) && f.Source() != k.mac {
				t.Errorf("%s: an advert from %v", k.name, f.Source())
			}
		}
		lookouts[k.name].probe.AwaitAnswers(t, 20*time.Second, 20)
	}
	for _, pair := range captures {
		for _, c := range pair {
			if err := c.Stop(); err != nil {
				t.Errorf("capture: %v", err)
			}
		}
	}
}
