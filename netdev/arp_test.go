package netdev

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/netdev/frame"
	"holdfast/netdev/internal/testns"
	"holdfast/netdev/sysctl"
)

var (
	baseMAC = frame.MAC{2, 0, 0, 0, 0, 1}
	vmac6   = frame.MAC{0x00, 0x00, 0x5e, 0x00, 0x02, 0x33}
)

func spec6() Spec {
	return Spec{Name: "vrrp6-51", Parent: "eth0", MAC: vmac6, Alias: "outside6", Addresses: addresses("fe80::100/64", "2001:db8::100/64")}
}

// The virtual address is at the virtual MAC and nowhere else, the director's
// own at its own.
func TestWhoAnswers(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	tap := testns.NewTap(p.Neighbour, "net0")
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4(), spec6())
	tap.Says("BACKUP, virtual address", "10.0.0.100")
	tap.Says("BACKUP, own address", "10.0.0.1", baseMAC)
	tap.Says("BACKUP, IPv6 virtual address", "2001:db8::100")

	testns.Must(t, h.Claim("vrrp4-51", "vrrp6-51"))
	tap.Says("virtual address", "10.0.0.100", vmac)
	tap.Says("second virtual address", "10.0.0.101", vmac)
	tap.Says("own address", "10.0.0.1", baseMAC)
	tap.Says("IPv6 virtual address", "2001:db8::100", vmac6)
	tap.Says("IPv6 virtual link-local address", "fe80::100", vmac6)
	tap.Says("IPv6 own address", "2001:db8::1", baseMAC)
	for _, ip := range []string{"10.0.0.100", "10.0.0.101", "10.0.0.1", "2001:db8::100", "2001:db8::1"} {
		if !p.Neighbour.Answers(ip, testns.Soon) {
			t.Errorf("%s does not answer", ip)
		}
	}

	// Each setting is needed: without it somebody else answers.
	for key, ip := range map[string]string{
		"ipv4/conf/eth0/arp_ignore":     "10.0.0.100",
		"ipv4/conf/vrrp4-51/arp_ignore": "10.0.0.1",
	} {
		p.Director.Set(key, "0")
		if n := len(tap.WhoHas(ip, 2)); n != 2 {
			t.Errorf("%s is 0, and %d answer for %s: the test cannot fail", key, n, ip)
		}
		if r := reconcile(p.Director, h); len(r) != 1 {
			t.Errorf("%s was 0: Reconcile: %v", key, r)
		}
		if n := len(tap.WhoHas(ip, 1)); n != 1 {
			t.Errorf("%s was put right: %d answer for %s", key, n, ip)
		}
	}
}

// A director whose neighbour cache is cold asks for the client when it answers
// it from the virtual address. The request must not say that the virtual
// address is at the director's own MAC.
func TestColdCacheKeepsMAC(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	tap := testns.NewTap(p.Neighbour, "net0")
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4())
	testns.Must(t, h.Claim("vrrp4-51"))
	wrong := func() bool {
		p.Director.Run("ip neighbour flush all")
		tap.Settle()
		p.Director.SendFrom("10.0.0.100", "10.0.0.9")
		asked := func(f [][]byte) bool {
			return slices.ContainsFunc(testns.ARPs(f), func(a testns.ARP) bool { return a.Op == 1 })
		}
		frames := tap.Until(asked)
		for _, a := range testns.ARPs(frames) {
			if a.SenderIP == netip.MustParseAddr("10.0.0.100") && a.Sender != vmac {
				return true
			}
		}
		if !asked(frames) {
			t.Fatal("the director did not ask: the cache is not cold")
		}
		return false
	}
	if wrong() {
		t.Error("an ARP request says that the virtual address is at the director's own MAC")
	}
	p.Director.Set("ipv4/conf/eth0/arp_announce", "0")
	if !wrong() {
		t.Error("arp_announce is 0 and it does not show: the test cannot fail")
	}
}

// A BACKUP's virtual MAC must never be seen: each frame from it would move it
// to this port in the switches. The kernel's own chatter (multicast listener
// reports, router solicitations) comes within a second.
func TestBackupIsSilent(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	tap := testns.NewTap(p.Neighbour, "net0")
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4(), spec6())
	p.Director.Run(`
		ip link set eth0 down
		ip link set eth0 up`)
	frames := tap.During(testns.Chatter)
	if len(testns.From(frames, baseMAC)) == 0 {
		t.Error("not even the parent's own frames were seen")
	}
	if n := len(testns.From(frames, vmac)) + len(testns.From(frames, vmac6)); n != 0 {
		t.Errorf("%d frames from the virtual MACs of a BACKUP", n)
	}

	testns.Must(t, h.Claim("vrrp4-51", "vrrp6-51"))
	tap.HearOut(vmac, vmac6) // a MASTER may speak
	testns.Must(t, h.Release("vrrp4-51", "vrrp6-51"))
	frames = tap.During(testns.Chatter)
	if n := len(testns.From(frames, vmac)) + len(testns.From(frames, vmac6)); n != 0 {
		t.Errorf("%d frames from the virtual MACs at and after Release: %x", n, append(testns.From(frames, vmac), testns.From(frames, vmac6)...))
	}
	tap.Says("after Release", "10.0.0.100")

	testns.Must(t, h.Claim("vrrp4-51", "vrrp6-51"))
	tap.HearOut(vmac, vmac6)
	testns.Must(t, h.Remove("vrrp4-51", "vrrp6-51"))
	frames = tap.During(testns.Surplus)
	if n := len(testns.From(frames, vmac)) + len(testns.From(frames, vmac6)); n != 0 {
		t.Errorf("%d frames from the virtual MACs when claimed devices are removed", n)
	}
}

// A device that is Muted serves those who know its MAC, and tells it to nobody.
func TestQuiet(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	tap := testns.NewTap(p.Neighbour, "net0")
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4(), spec6())
	names := []string{"vrrp4-51", "vrrp6-51"}
	testns.Must(t, h.Claim(names...))
	p.Neighbour.Run(`
		ip neighbour replace 10.0.0.100 lladdr 00:00:5e:00:01:33 dev net0 nud permanent
		ip neighbour replace 2001:db8::100 lladdr 00:00:5e:00:02:33 dev net0 nud permanent`)
	seen := func(operstate string) {
		t.Helper()
		testns.Eventually(t, "the kernel sees that it is "+operstate, func() bool {
			return strings.Contains(p.Director.Run("ip link show vrrp6-51"), "state "+operstate)
		})
		p.Director.Enter()
	}
	seen("UP")
	tap.HearOut(vmac, vmac6) // what the kernel says by itself when a device comes up
	testns.Must(t, h.Mute(names...))
	// At once, not only when a work queue of the kernel has had its turn.
	for _, name := range names {
		if flags := p.Director.Run("ip -o link show " + name); !strings.Contains(flags, "NOARP") {
			t.Errorf("%s answers until the kernel takes notice: %s", name, flags)
		}
	}
	p.Director.Enter()
	frames := tap.During(500 * time.Millisecond)
	if n := len(testns.From(frames, vmac)) + len(testns.From(frames, vmac6)); n != 0 {
		t.Errorf("%d frames from the virtual MACs when they are muted", n)
	}
	seen("DOWN")
	tap.Says("muted", "10.0.0.100")
	tap.Says("muted, IPv6", "2001:db8::100")
	tap.Says("muted, own address", "10.0.0.1", baseMAC)
	if !p.Neighbour.Answers("10.0.0.100", testns.Soon) || !p.Neighbour.Answers("2001:db8::100", testns.Soon) {
		t.Error("a muted device does not serve a neighbour that knows its MAC")
	}
	if p.Neighbour.Answers("10.0.0.101", testns.Briefly) {
		t.Error("a neighbour that does not know the MAC has found it out")
	}
	if r := reconcile(p.Director, h); len(r) != 0 {
		t.Errorf("Reconcile of a muted device: %v", r)
	}
	testns.Must(t, h.Claim(names...))
	seen("UP")
	tap.Says("claimed again", "10.0.0.100", vmac)
	tap.Says("claimed again, IPv6", "2001:db8::100", vmac6)

	// A kernel that has no protocol down for macvlans.
	h.devices["vrrp6-51"].noProtoDown = true
	testns.Must(t, h.Mute(names...))
	tap.Says("muted by IFF_NOARP, IPv6", "2001:db8::100")
	if !p.Neighbour.Answers("2001:db8::100", testns.Soon) {
		t.Error("a device with IFF_NOARP does not serve a neighbour that knows its MAC")
	}
	testns.Must(t, h.Release(names...))
	if r := reconcile(p.Director, h); len(r) != 0 {
		t.Errorf("Reconcile after Release: %v", r)
	}
}

// A MASTER that is about to let go must not answer its successor's gratuitous
// ARP: the answer would draw the virtual MAC back to its port. (A request from
// the virtual MAC itself does not reach a bridge-mode macvlan, so a successor
// with another MAC asks here; and accept_local on all interfaces, which checking
// DR servers takes, lets the kernel get as far as answering.)
func TestNoAnswerToGratuitousARP(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	tap := testns.NewTap(p.Neighbour, "net0")
	p.Director.Set("ipv4/conf/all/accept_local", "1")
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4())
	testns.Must(t, h.Claim("vrrp4-51"))
	f, err := frame.GratuitousARP(frame.MAC{2, 0, 0, 0, 0, 9}, netip.MustParseAddr("10.0.0.100"), frame.ARPRequest)
	testns.Must(t, err)
	answers := func(expected int) int {
		tap.Settle()
		tap.Send(f)
		return len(testns.From(tap.Until(func(f [][]byte) bool { return len(testns.From(f, vmac)) >= expected }), vmac))
	}
	if n := answers(0); n != 0 {
		t.Errorf("%d frames from the virtual MAC in answer to a gratuitous ARP", n)
	}
	p.Director.Set("ipv4/conf/vrrp4-51/drop_gratuitous_arp", "0")
	if answers(1) == 0 {
		t.Error("drop_gratuitous_arp is 0 and nobody answers: the test cannot fail")
	}
}

// Strict reverse path filtering drops all traffic to a virtual address, since
// the route back is the parent's. It must go from our device, and stay
// everywhere else.
func TestReversePathFilter(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	d := p.Director
	d.Run(`
		ip link add name other0 type veth peer name other1
		ip link add name loose type veth peer name loose1`)
	d.Set("ipv4/conf/loose/rp_filter", "2")
	d.Set("ipv4/conf/eth0/rp_filter", "0")
	d.Set("ipv4/conf/all/rp_filter", "1")
	before := state(d)
	h := openHost(t, d, t.TempDir())
	ensure(t, h, spec4())
	testns.Must(t, h.Claim("vrrp4-51"))
	d.Run("ip link add name late type veth peer name late1")
	for name, want := range map[string]string{
		"all": "0", "vrrp4-51": "0", "default": "1", "eth0": "1", "other0": "1", "lo": "1", "loose": "2", "late": "1",
	} {
		if got := d.Get(sysctl.Key("ipv4", name, "rp_filter")); got != want {
			t.Errorf("rp_filter of %s is %s, want %s", name, got, want)
		}
	}
	if !p.Neighbour.Answers("10.0.0.100", testns.Soon) {
		t.Error("the virtual address does not answer")
	}
	d.Set("ipv4/conf/all/rp_filter", "1")
	if p.Neighbour.Answers("10.0.0.100", testns.Briefly) {
		t.Error("the virtual address answers with strict filtering: the test cannot fail")
	}
	if r := reconcile(d, h); len(r) != 1 || r[0].Text != "net.ipv4.conf.all.rp_filter was 1: set to 0" {
		t.Errorf("Reconcile: %v", r)
	}
	if !p.Neighbour.Answers("10.0.0.100", testns.Soon) {
		t.Error("the virtual address does not answer after Reconcile")
	}
	d.Run("ip link delete late")
	testns.Must(t, h.Close())
	if after := state(d); after != before {
		t.Errorf("state changed:\n%s", lineDiff(before, after))
	}
}

// A virtual address in the parent's subnet must not bring a second connected
// route: with a metric on the parent's, as DHCP clients set it, all traffic to
// the subnet would leave from the virtual MAC. The parent's name has a dot here.
func TestConnectedRoute(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	p.Director.Run(`
		ip link set eth0 down name wan.0
		ip link set wan.0 up
		ip route replace 10.0.0.0/24 dev wan.0 metric 100 src 10.0.0.1
		ip route del 10.0.0.0/24 dev wan.0 metric 0`)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	s := spec4()
	s.Parent = "wan.0"
	s.Addresses = addresses("10.0.0.100/24", "192.0.2.1/24")
	ensure(t, h, s)
	testns.Must(t, h.Claim(s.Name))
	if route := p.Director.Run("ip route get 10.0.0.9"); !strings.Contains(route, "dev wan.0 src 10.0.0.1") {
		t.Errorf("the neighbour is reached by %s", route)
	}
	if route := p.Director.Run("ip route get 192.0.2.9"); !strings.Contains(route, "dev vrrp4-51") {
		t.Errorf("a subnet that only we have is reached by %s", route)
	}
	if v := p.Director.Get(sysctl.Key("ipv4", "wan.0", "arp_ignore")); v != "1" {
		t.Errorf("arp_ignore of the parent is %s", v)
	}
	if !p.Neighbour.Answers("10.0.0.100", testns.Soon) {
		t.Error("the virtual address does not answer")
	}
}

// Many devices are deleted as a link group, and moving a link to a group makes
// the kernel repeat its multicast listener reports, while the last of many
// waits for its turn. Here the turn never comes.
func TestDoomedIsSilent(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	tap := testns.NewTap(p.Neighbour, "net0")
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	other := spec6()
	other.Name, other.MAC[5], other.Addresses = "vrrp6-52", 0x34, addresses("2001:db8::200/64")
	ensure(t, h, spec6(), other)
	testns.Must(t, h.Claim("vrrp6-51", "vrrp6-52"))
	tap.HearOut(vmac6, other.MAC)
	o, err := observe(h.conn, needs{}, dumpTimeout)
	testns.Must(t, err)
	r := deleteRequests(o, []int{o.byName["vrrp6-51"].index, o.byName["vrrp6-52"].index})
	testns.Must(t, errors.Join(h.conn.Do(r[:2])...))
	frames := tap.During(testns.Chatter)
	if n := len(testns.From(frames, vmac6)) + len(testns.From(frames, other.MAC)); n != 0 {
		t.Errorf("%d frames from the virtual MACs", n)
	}
	testns.Must(t, errors.Join(h.conn.Do(r[2:])...))
	if show := p.Director.Run("ip link show"); strings.Contains(show, "vrrp6") {
		t.Errorf("still there:\n%s", show)
	}
}

// Whatever else hears the parent's wire keeps silent about virtual addresses: a
// macvlan beside ours, and the device below when the parent is a macvlan.
func TestWhoAnswersBesideMacvlans(t *testing.T) {
	t.Parallel()
	for _, parent := range []string{"eth0", "mv0"} {
		p := testns.NewPair(t)
		tap := testns.NewTap(p.Neighbour, "net0")
		p.Director.Run(`
			ip link add link eth0 name mv0 address 02:00:00:00:00:0a type macvlan mode bridge
			ip link set mv0 up
			ip address add 10.0.0.2/24 dev mv0`)
		if n := len(tap.WhoHas("10.0.0.2", 2)); n != 2 {
			t.Fatalf("%d interfaces answer for one address: the test tests nothing", n)
		}
		h := openHost(t, p.Director, t.TempDir())
		s := spec4()
		s.Parent = parent
		ensure(t, h, s)
		testns.Must(t, h.Claim(s.Name))
		tap.Says("above "+parent+", virtual address", "10.0.0.100", vmac)
		tap.Says("above "+parent+", the macvlan's own", "10.0.0.2", frame.MAC{2, 0, 0, 0, 0, 10})
		testns.Must(t, h.Close())
		for _, name := range []string{"eth0", "mv0"} {
			if v := p.Director.Get(sysctl.Key("ipv4", name, "arp_ignore")); v != "0" {
				t.Errorf("arp_ignore of %s is %s after the end", name, v)
			}
		}
	}
}
