package netdev

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	baseMAC = MAC{2, 0, 0, 0, 0, 1}
	vmac6   = MAC{0x00, 0x00, 0x5e, 0x00, 0x02, 0x33}
)

// chatter is how long a kernel may speak by itself after a device came up: it
// looks at links once a second, and repeats its multicast listener reports
// when it does.
const chatter = 1300 * time.Millisecond

func spec6() Spec {
	return Spec{Name: "vrrp6-51", Parent: "eth0", MAC: vmac6, Alias: "outside6", Addresses: addresses("fe80::100/64", "2001:db8::100/64")}
}

// The virtual address is at the virtual MAC and nowhere else, the director's
// own at its own.
func TestWhoAnswers(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	tap := newTap(p.neighbour, "net0")
	h := openHost(t, p.director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4(), spec6())
	tap.says("BACKUP, virtual address", "10.0.0.100")
	tap.says("BACKUP, own address", "10.0.0.1", baseMAC)
	tap.says("BACKUP, IPv6 virtual address", "2001:db8::100")

	must(t, h.Claim("vrrp4-51", "vrrp6-51"))
	tap.says("virtual address", "10.0.0.100", vmac)
	tap.says("second virtual address", "10.0.0.101", vmac)
	tap.says("own address", "10.0.0.1", baseMAC)
	tap.says("IPv6 virtual address", "2001:db8::100", vmac6)
	tap.says("IPv6 virtual link-local address", "fe80::100", vmac6)
	tap.says("IPv6 own address", "2001:db8::1", baseMAC)
	for _, ip := range []string{"10.0.0.100", "10.0.0.101", "10.0.0.1", "2001:db8::100", "2001:db8::1"} {
		if !p.neighbour.answers(ip, soon) {
			t.Errorf("%s does not answer", ip)
		}
	}

	// Each setting is needed: without it somebody else answers.
	for key, ip := range map[string]string{
		"ipv4/conf/eth0/arp_ignore":     "10.0.0.100",
		"ipv4/conf/vrrp4-51/arp_ignore": "10.0.0.1",
	} {
		p.director.set(key, "0")
		if n := len(tap.whoHas(ip, 2)); n != 2 {
			t.Errorf("%s is 0, and %d answer for %s: the test cannot fail", key, n, ip)
		}
		if r := reconcile(p.director, h); len(r) != 1 {
			t.Errorf("%s was 0: Reconcile: %v", key, r)
		}
		if n := len(tap.whoHas(ip, 1)); n != 1 {
			t.Errorf("%s was put right: %d answer for %s", key, n, ip)
		}
	}
}

// A director whose neighbour cache is cold asks for the client when it answers
// it from the virtual address. The request must not say that the virtual
// address is at the director's own MAC.
func TestColdCacheKeepsMAC(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	tap := newTap(p.neighbour, "net0")
	h := openHost(t, p.director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4())
	must(t, h.Claim("vrrp4-51"))
	wrong := func() bool {
		p.director.run("ip neighbour flush all")
		tap.settle()
		p.director.sendFrom("10.0.0.100", "10.0.0.9")
		asked := func(f [][]byte) bool {
			return slices.ContainsFunc(arps(f), func(a arp) bool { return a.op == 1 })
		}
		frames := tap.until(asked)
		for _, a := range arps(frames) {
			if a.senderIP == netip.MustParseAddr("10.0.0.100") && a.sender != vmac {
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
	p.director.set("ipv4/conf/eth0/arp_announce", "0")
	if !wrong() {
		t.Error("arp_announce is 0 and it does not show: the test cannot fail")
	}
}

// A BACKUP's virtual MAC must never be seen: each frame from it would move it
// to this port in the switches. The kernel's own chatter (multicast listener
// reports, router solicitations) comes within a second.
func TestBackupIsSilent(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	tap := newTap(p.neighbour, "net0")
	h := openHost(t, p.director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4(), spec6())
	p.director.run(`
		ip link set eth0 down
		ip link set eth0 up`)
	frames := tap.during(chatter)
	if len(from(frames, baseMAC)) == 0 {
		t.Error("not even the parent's own frames were seen")
	}
	if n := len(from(frames, vmac)) + len(from(frames, vmac6)); n != 0 {
		t.Errorf("%d frames from the virtual MACs of a BACKUP", n)
	}

	must(t, h.Claim("vrrp4-51", "vrrp6-51"))
	tap.hearOut(vmac, vmac6) // a MASTER may speak
	must(t, h.Release("vrrp4-51", "vrrp6-51"))
	frames = tap.during(chatter)
	if n := len(from(frames, vmac)) + len(from(frames, vmac6)); n != 0 {
		t.Errorf("%d frames from the virtual MACs at and after Release: %x", n, append(from(frames, vmac), from(frames, vmac6)...))
	}
	tap.says("after Release", "10.0.0.100")

	must(t, h.Claim("vrrp4-51", "vrrp6-51"))
	tap.hearOut(vmac, vmac6)
	must(t, h.Remove("vrrp4-51", "vrrp6-51"))
	frames = tap.during(surplus)
	if n := len(from(frames, vmac)) + len(from(frames, vmac6)); n != 0 {
		t.Errorf("%d frames from the virtual MACs when claimed devices are removed", n)
	}
}

// A device that is Quiet serves those who know its MAC, and tells it to nobody.
func TestQuiet(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	tap := newTap(p.neighbour, "net0")
	h := openHost(t, p.director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4(), spec6())
	names := []string{"vrrp4-51", "vrrp6-51"}
	must(t, h.Claim(names...))
	p.neighbour.run(`
		ip neighbour replace 10.0.0.100 lladdr 00:00:5e:00:01:33 dev net0 nud permanent
		ip neighbour replace 2001:db8::100 lladdr 00:00:5e:00:02:33 dev net0 nud permanent`)
	seen := func(operstate string) {
		t.Helper()
		eventually(t, "the kernel sees that it is "+operstate, func() bool {
			return strings.Contains(p.director.run("ip link show vrrp6-51"), "state "+operstate)
		})
		p.director.enter()
	}
	seen("UP")
	tap.hearOut(vmac, vmac6) // what the kernel says by itself when a device comes up
	must(t, h.Quiet(names...))
	// At once, not only when a work queue of the kernel has had its turn.
	for _, name := range names {
		if flags := p.director.run("ip -o link show " + name); !strings.Contains(flags, "NOARP") {
			t.Errorf("%s answers until the kernel takes notice: %s", name, flags)
		}
	}
	p.director.enter()
	frames := tap.during(500 * time.Millisecond)
	if n := len(from(frames, vmac)) + len(from(frames, vmac6)); n != 0 {
		t.Errorf("%d frames from the virtual MACs when they become quiet", n)
	}
	seen("DOWN")
	tap.says("quiet", "10.0.0.100")
	tap.says("quiet, IPv6", "2001:db8::100")
	tap.says("quiet, own address", "10.0.0.1", baseMAC)
	if !p.neighbour.answers("10.0.0.100", soon) || !p.neighbour.answers("2001:db8::100", soon) {
		t.Error("a quiet device does not serve a neighbour that knows its MAC")
	}
	if p.neighbour.answers("10.0.0.101", briefly) {
		t.Error("a neighbour that does not know the MAC has found it out")
	}
	if r := reconcile(p.director, h); len(r) != 0 {
		t.Errorf("Reconcile of a quiet device: %v", r)
	}
	must(t, h.Claim(names...))
	seen("UP")
	tap.says("claimed again", "10.0.0.100", vmac)
	tap.says("claimed again, IPv6", "2001:db8::100", vmac6)

	// A kernel that has no protocol down for macvlans.
	h.devices["vrrp6-51"].noProtoDown = true
	must(t, h.Quiet(names...))
	tap.says("quiet by IFF_NOARP, IPv6", "2001:db8::100")
	if !p.neighbour.answers("2001:db8::100", soon) {
		t.Error("a device with IFF_NOARP does not serve a neighbour that knows its MAC")
	}
	must(t, h.Release(names...))
	if r := reconcile(p.director, h); len(r) != 0 {
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
	p := newPair(t)
	tap := newTap(p.neighbour, "net0")
	p.director.set("ipv4/conf/all/accept_local", "1")
	h := openHost(t, p.director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4())
	must(t, h.Claim("vrrp4-51"))
	f, err := GratuitousARP(MAC{2, 0, 0, 0, 0, 9}, netip.MustParseAddr("10.0.0.100"), ARPRequest)
	must(t, err)
	answers := func(expected int) int {
		tap.settle()
		tap.send(f)
		return len(from(tap.until(func(f [][]byte) bool { return len(from(f, vmac)) >= expected }), vmac))
	}
	if n := answers(0); n != 0 {
		t.Errorf("%d frames from the virtual MAC in answer to a gratuitous ARP", n)
	}
	p.director.set("ipv4/conf/vrrp4-51/drop_gratuitous_arp", "0")
	if answers(1) == 0 {
		t.Error("drop_gratuitous_arp is 0 and nobody answers: the test cannot fail")
	}
}

// Strict reverse path filtering drops all traffic to a virtual address, since
// the route back is the parent's. It must go from our device, and stay
// everywhere else.
func TestReversePathFilter(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	d := p.director
	d.run(`
		ip link add name other0 type veth peer name other1
		ip link add name loose type veth peer name loose1`)
	d.set("ipv4/conf/loose/rp_filter", "2")
	d.set("ipv4/conf/eth0/rp_filter", "0")
	d.set("ipv4/conf/all/rp_filter", "1")
	before := d.state()
	h := openHost(t, d, t.TempDir())
	ensure(t, h, spec4())
	must(t, h.Claim("vrrp4-51"))
	d.run("ip link add name late type veth peer name late1")
	for name, want := range map[string]string{
		"all": "0", "vrrp4-51": "0", "default": "1", "eth0": "1", "other0": "1", "lo": "1", "loose": "2", "late": "1",
	} {
		if got := d.get(confKey("ipv4", name, "rp_filter")); got != want {
			t.Errorf("rp_filter of %s is %s, want %s", name, got, want)
		}
	}
	if !p.neighbour.answers("10.0.0.100", soon) {
		t.Error("the virtual address does not answer")
	}
	d.set("ipv4/conf/all/rp_filter", "1")
	if p.neighbour.answers("10.0.0.100", briefly) {
		t.Error("the virtual address answers with strict filtering: the test cannot fail")
	}
	if r := reconcile(d, h); len(r) != 1 || r[0].Text != "net.ipv4.conf.all.rp_filter was 1: set to 0" {
		t.Errorf("Reconcile: %v", r)
	}
	if !p.neighbour.answers("10.0.0.100", soon) {
		t.Error("the virtual address does not answer after Reconcile")
	}
	d.run("ip link delete late")
	must(t, h.Close())
	if after := d.state(); after != before {
		t.Errorf("state changed:\n%s", lineDiff(before, after))
	}
}

// A virtual address in the parent's subnet must not bring a second connected
// route: with a metric on the parent's, as DHCP clients set it, all traffic to
// the subnet would leave from the virtual MAC. The parent's name has a dot here.
func TestConnectedRoute(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.director.run(`
		ip link set eth0 down name wan.0
		ip link set wan.0 up
		ip route replace 10.0.0.0/24 dev wan.0 metric 100 src 10.0.0.1
		ip route del 10.0.0.0/24 dev wan.0 metric 0`)
	h := openHost(t, p.director, t.TempDir())
	defer h.Close()
	s := spec4()
	s.Parent = "wan.0"
	s.Addresses = addresses("10.0.0.100/24", "192.0.2.1/24")
	ensure(t, h, s)
	must(t, h.Claim(s.Name))
	if route := p.director.run("ip route get 10.0.0.9"); !strings.Contains(route, "dev wan.0 src 10.0.0.1") {
		t.Errorf("the neighbour is reached by %s", route)
	}
	if route := p.director.run("ip route get 192.0.2.9"); !strings.Contains(route, "dev vrrp4-51") {
		t.Errorf("a subnet that only we have is reached by %s", route)
	}
	if v := p.director.get(confKey("ipv4", "wan.0", "arp_ignore")); v != "1" {
		t.Errorf("arp_ignore of the parent is %s", v)
	}
	if !p.neighbour.answers("10.0.0.100", soon) {
		t.Error("the virtual address does not answer")
	}
}

// Many devices are deleted as a link group, and moving a link to a group makes
// the kernel repeat its multicast listener reports, while the last of many
// waits for its turn. Here the turn never comes.
func TestDoomedIsSilent(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	tap := newTap(p.neighbour, "net0")
	h := openHost(t, p.director, t.TempDir())
	defer h.Close()
	other := spec6()
	other.Name, other.MAC[5], other.Addresses = "vrrp6-52", 0x34, addresses("2001:db8::200/64")
	ensure(t, h, spec6(), other)
	must(t, h.Claim("vrrp6-51", "vrrp6-52"))
	tap.hearOut(vmac6, other.MAC)
	o, err := observe(h.conn)
	must(t, err)
	r := deleteRequests(o, []int{o.byName["vrrp6-51"].index, o.byName["vrrp6-52"].index})
	must(t, errors.Join(h.conn.do(r[:2])...))
	frames := tap.during(chatter)
	if n := len(from(frames, vmac6)) + len(from(frames, other.MAC)); n != 0 {
		t.Errorf("%d frames from the virtual MACs", n)
	}
	must(t, errors.Join(h.conn.do(r[2:])...))
	if show := p.director.run("ip link show"); strings.Contains(show, "vrrp6") {
		t.Errorf("still there:\n%s", show)
	}
}

// Whatever else hears the parent's wire keeps silent about virtual addresses: a
// macvlan beside ours, and the device below when the parent is a macvlan.
func TestWhoAnswersBesideMacvlans(t *testing.T) {
	t.Parallel()
	for _, parent := range []string{"eth0", "mv0"} {
		p := newPair(t)
		tap := newTap(p.neighbour, "net0")
		p.director.run(`
			ip link add link eth0 name mv0 address 02:00:00:00:00:0a type macvlan mode bridge
			ip link set mv0 up
			ip address add 10.0.0.2/24 dev mv0`)
		if n := len(tap.whoHas("10.0.0.2", 2)); n != 2 {
			t.Fatalf("%d interfaces answer for one address: the test tests nothing", n)
		}
		h := openHost(t, p.director, t.TempDir())
		s := spec4()
		s.Parent = parent
		ensure(t, h, s)
		must(t, h.Claim(s.Name))
		tap.says("above "+parent+", virtual address", "10.0.0.100", vmac)
		tap.says("above "+parent+", the macvlan's own", "10.0.0.2", MAC{2, 0, 0, 0, 0, 10})
		must(t, h.Close())
		for _, name := range []string{"eth0", "mv0"} {
			if v := p.director.get(confKey("ipv4", name, "arp_ignore")); v != "0" {
				t.Errorf("arp_ignore of %s is %s after the end", name, v)
			}
		}
	}
}
