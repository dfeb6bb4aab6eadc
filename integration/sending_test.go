package integration_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// advertsFrom matches adverts of the outer virtual router that are from and to
// addresses.
func advertsFrom(from, to string) func(lab.Frame) bool {
	return func(f lab.Frame) bool {
		a, ok := f.Advert()
		return ok && a.VRID == 51 && a.Source.String() == from && destination(f) == to
	}
}

// destination is where an IPv4 packet goes.
func destination(f lab.Frame) string {
	to, _ := netip.AddrFromSlice(f.Bytes[14+16 : 14+20])
	return to.String()
}

// wellMade asks tshark what is wrong with what was captured.
func wellMade(t *testing.T, p *lab.Pair, capture *lab.Capture) {
	t.Helper()
	if _, err := tools.Find("tshark"); err != nil {
		if tools.Required("netns") {
			t.Fatal(err)
		}
		return // the rest of the test stands
	}
	path := filepath.Join(p.Dir(), "wire.pcap")
	if err := capture.WritePcap(path); err != nil {
		t.Fatal(err)
	}
	if tshark(t, p, path, "vrrp") == "" {
		t.Error("tshark finds no advert")
	}
	if wrong := tshark(t, p, path, complaints); wrong != "" {
		t.Errorf("tshark objects to\n%s", wrong)
	}
}

// Adverts are sent from the configured source. When that address is removed from the
// interface, the instance sends priority 0 and is in FAULT until it is back.
func TestSource(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	p.Directors[0].Run("ip", "addr", "add", "10.0.0.22/24", "dev", "eth0")
	wire := p.Directors[0].Wires["eth0"].Capture()
	mine := p.Directors[0].Holdfast(outside(3, 200, "source = \"10.0.0.22\""))
	mine.AwaitState(t, "MASTER")
	theirs := p.Directors[1].Holdfast(outside(3, 100, ""))
	theirs.AwaitState(t, "BACKUP")
	wire.Await(t, 20*time.Second, "adverts from the source", 3, advertsFrom("10.0.0.22", "224.0.0.18"))
	wellMade(t, p, wire)

	p.Directors[0].Run("ip", "addr", "del", "10.0.0.22/24", "dev", "eth0")
	mine.AwaitState(t, "FAULT")
	if text, _, _ := mine.CLI("status"); !strings.Contains(text, "interface eth0 does not have the address 10.0.0.22") {
		t.Errorf("status does not say:\n%s", text)
	}
	theirs.AwaitState(t, "MASTER")
	if n := wire.Count(func(f lab.Frame) bool {
		a, ok := f.Advert()
		return ok && a.Priority == 0 && advertsFrom("10.0.0.22", "224.0.0.18")(f)
	}); n != 1 {
		t.Errorf("%d farewells", n)
	}
	p.Directors[0].Run("ip", "addr", "add", "10.0.0.22/24", "dev", "eth0")
	mine.AwaitState(t, "MASTER")

	mine.Configure(outside(3, 200, "source = \"10.0.0.2\""))
	if err := mine.Reload(); err != nil {
		t.Fatal(err)
	}
	wire.Await(t, 20*time.Second, "adverts from the other source", 3, advertsFrom("10.0.0.2", "224.0.0.18"))
	mine.AwaitState(t, "MASTER")
	theirs.AwaitState(t, "BACKUP")
}

// Directors with different multicast groups do not hear each other. A reload brings
// them together without a restart.
func TestMulticastGroup(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	wire := p.Directors[0].Wires["eth0"].Capture()
	mine := p.Directors[0].Holdfast(outside(3, 200, "multicast = \"224.0.0.77\""))
	theirs := p.Directors[1].Holdfast(outside(3, 100, ""))
	mine.AwaitState(t, "MASTER")
	theirs.AwaitState(t, "MASTER")
	wire.Await(t, 20*time.Second, "adverts to the group", 3, advertsFrom("10.0.0.2", "224.0.0.77"))
	wellMade(t, p, wire)
	theirs.Configure(outside(3, 100, "multicast = \"224.0.0.77\""))
	if err := theirs.Reload(); err != nil {
		t.Fatal(err)
	}
	theirs.AwaitState(t, "BACKUP")
	joined, _, err := p.Directors[1].Output("ip", "maddress", "show", "dev", "eth0")
	if err != nil || !strings.Contains(joined, "224.0.0.77") || strings.Contains(joined, "224.0.0.18") {
		t.Errorf("joined, %v:\n%s", err, joined)
	}
}

// Adverts that come to the usual group, which another instance has joined, are
// counted by the one that uses another.
func TestAdvertToAnotherGroup(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	second := "[[vrrp]]\nname = \"second\"\ninterface = \"eth0\"\nvrid = 52\naddresses = [\"10.0.0.101/24\"]\n"
	mine := p.Directors[0].Holdfast(outside(3, 100, "multicast = \"224.0.0.77\"") + second)
	p.Directors[1].Holdfast(outside(3, 200, ""))
	mine.Await(t, "a dropped advert", func(s lab.Status) (string, bool) {
		n := s.VRRP[0].Counters.Dropped["destination"]
		return fmt.Sprint(n), n > 0
	})
	mine.AwaitState(t, "MASTER")
}

// With advert_mac = "interface" only announcements come from the virtual MAC.
func TestAdvertMAC(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	wire := p.Directors[0].Wires["eth0"].Capture()
	mine := p.Directors[0].Holdfast(outside(3, 200, "advert_mac = \"interface\""))
	mine.AwaitState(t, "MASTER")
	wire.Await(t, 20*time.Second, "adverts", 3, advertsFrom("10.0.0.2", "224.0.0.18"))
	wire.Await(t, 20*time.Second, "an announcement", 1, func(f lab.Frame) bool {
		_, mac, ok := f.Announcement()
		return ok && mac == lab.VirtualMAC(51)
	})
	for _, f := range wire.Frames(advertsFrom("10.0.0.2", "224.0.0.18")) {
		if f.Source() == lab.VirtualMAC(51) {
			t.Errorf("an advert from %v", f.Source())
		}
	}
}

// track_link = false: two directors on one cable keep their state when it is
// pulled, and the interface still has to be there.
func TestLinkThatIsNotTracked(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	mine := p.Directors[0].Holdfast(outside(3, 200, "track_link = false"))
	mine.AwaitState(t, "MASTER")
	p.Directors[0].Wires["eth0"].Cut()
	lab.Wait(t, 10*time.Second, "no carrier", func() (string, bool) {
		text, _, _ := p.Directors[0].Output("ip", "link", "show", "eth0")
		return text, strings.Contains(text, "NO-CARRIER")
	})
	tracked := outside(3, 200, "")
	mine.Configure(tracked)
	mine.AwaitState(t, "MASTER")
	if err := mine.Reload(); err != nil {
		t.Fatal(err)
	}
	mine.AwaitState(t, "FAULT")
	mine.Configure(outside(3, 200, "track_link = false"))
	if err := mine.Reload(); err != nil {
		t.Fatal(err)
	}
	mine.AwaitState(t, "MASTER")
	p.Directors[0].Run("ip", "link", "set", "eth0", "down")
	mine.AwaitState(t, "FAULT")
}

// Virtual routers without addresses elect a MASTER, by multicast and by
// unicast, and no device is made for them.
func TestNoAddresses(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]func(i int) string{
		"multicast": func(int) string { return "" },
		"unicast": func(i int) string {
			return fmt.Sprintf("unicast = true\nttl = 64\npeers = [{ address = \"10.0.0.%d\", min_ttl = 64, max_ttl = 64 }]\n", 3-i)
		},
		"v2":   func(int) string { return "version = 2\n" },
		"IPv6": func(int) string { return "family = \"ipv6\"\n" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 2)
			wire := p.Directors[0].Wires["eth0"].Capture()
			var daemons []*lab.Daemon
			var before []string
			for i, host := range p.Directors {
				before = append(before, host.Run("ip", "-o", "addr"))
				daemons = append(daemons, host.Holdfast(fmt.Sprintf("[[vrrp]]\nname = \"cloud\"\ninterface = \"eth0\"\nvrid = 51\n"+
					"priority = %d\naddresses = []\n%s", 200-i, options(i))))
				daemons[i].AwaitState(t, []string{"MASTER", "BACKUP"}[i])
			}
			wire.Await(t, 20*time.Second, "adverts", 4, lab.Advertised(51))
			daemons[1].AwaitState(t, "BACKUP")
			for i, host := range p.Directors {
				if now := host.Run("ip", "-o", "addr"); now != before[i] {
					t.Errorf("%s has\n%s, had\n%s", host.Name, now, before[i])
				}
				accepted(t, daemons[i])
			}
			daemons[0].Crash()
			daemons[1].AwaitState(t, "MASTER")
		})
	}
}

// keepalived accepts adverts without addresses. The tested release knows virtual
// routers without addresses in version 2 only, and sends nothing as their MASTER.
func TestKeepalivedWithoutAddresses(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	mine := p.Directors[0].Holdfast("[[vrrp]]\nname = \"cloud\"\ninterface = \"eth0\"\nvrid = 51\nversion = 2\npriority = 200\n" +
		"addresses = []\nunicast = true\npeers = [\"10.0.0.3\"]\n")
	wire := p.Directors[0].Wires["eth0"].Capture()
	mine.AwaitState(t, "MASTER")
	theirs := p.Directors[1].Keepalived("vrrp_instance cloud {\n\tversion 2\n\tstate BACKUP\n\tinterface eth0\n\tvirtual_router_id 51\n\tpriority 100\n" +
		"\tadvert_int 1\n\tunicast_src_ip 10.0.0.3\n\tunicast_peer {\n\t\t10.0.0.2\n\t}\n}\n")
	says := func(text string) {
		t.Helper()
		lab.Wait(t, 20*time.Second, text, func() (string, bool) { return "", strings.Contains(theirs.LogText(), text) })
	}
	says("Entering BACKUP STATE")
	n := wire.Count(lab.Advertised(51))
	wire.Await(t, 20*time.Second, "adverts", n+6, lab.Advertised(51)) // it would take over after 3.6
	if log := theirs.LogText(); strings.Contains(log, "MASTER STATE") || strings.Contains(log, "eceived") {
		t.Errorf("keepalived does not follow:\n%s", log)
	}
	mine.Crash()
	says("Entering MASTER STATE")
}

// An advert that is too long for the interface is a fault, which goes when the
// interface carries it or addresses leave the advert.
func TestAdvertTooLongForTheWire(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	list := func(n int) string {
		quoted := []string{`"fe80::5e:51"`}
		for i := range n - 1 {
			quoted = append(quoted, fmt.Sprintf("\"2001:db8:a::1:%x/64\"", i+1))
		}
		return strings.Join(quoted, ", ")
	}
	config := func(n int, options string) string {
		return "[[vrrp]]\nname = \"many\"\ninterface = \"eth0\"\nvrid = 51\naddresses = [" + list(n) + "]\n" + options
	}
	mine := p.Directors[0].Holdfast(config(92, ""))
	mine.AwaitState(t, "FAULT")
	text, _, _ := mine.CLI("status")
	if want := "an advert with 92 addresses has 1520 bytes, and interface eth0 carries 1500: move addresses to excluded_addresses"; !strings.Contains(text, want) {
		t.Errorf("status does not say %q:\n%s", want, text)
	}
	p.Directors[0].Run("ip", "link", "set", "eth0", "mtu", "9000")
	mine.AwaitState(t, "MASTER")
	p.Directors[0].Run("ip", "link", "set", "eth0", "mtu", "1500")
	mine.AwaitState(t, "FAULT")
	reload := func(c, state string) {
		t.Helper()
		mine.Configure(c)
		if err := mine.Reload(); err != nil {
			t.Fatal(err)
		}
		mine.AwaitState(t, state)
	}
	reload(config(90, ""), "MASTER") // 1488 bytes
	const key = "auth = { type = \"hmac\", keys = [{ id = 1, secret = \"0123456789abcdef0123456789abcdef\" }] }\n"
	reload(config(90, key), "FAULT") // 1516
	reload(config(89, key), "MASTER")
}
