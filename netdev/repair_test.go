package netdev

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"holdfast/netdev/frame"
	"holdfast/netdev/internal/testns"

	"github.com/google/go-cmp/cmp"
)

// texts returns repairs as sorted lines.
func texts(repairs []Repair) []string {
	var all []string
	for _, r := range repairs {
		all = append(all, r.String())
	}
	slices.Sort(all)
	return all
}

func TestReconcileMends(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, harm string
		want       []string
	}{
		{"nothing", "", nil},
		{"address deleted", "ip address del 10.0.0.100/24 dev vrrp4-51", []string{"vrrp4-51: add address 10.0.0.100/24"}},
		{"addresses flushed", "ip address flush dev vrrp6-51", []string{
			"vrrp6-51: add address 2001:db8::100/64", "vrrp6-51: add address fe80::100/64"}},
		{"set down", "ip link set vrrp4-51 down", []string{"vrrp4-51: set it up"}},
		{"arp off", "ip link set vrrp4-51 arp off", []string{"vrrp4-51: turn ARP on"}},
		{"protocol down", "ip link set vrrp6-51 protodown on", []string{"vrrp6-51: set protocol up"}},
		{"alias changed", "ip link set vrrp4-51 alias holdfast", []string{"vrrp4-51: set the alias"}},
		{"sysctl of the device", "sysctl -qw net.ipv4.conf.vrrp4-51.arp_ignore=0", []string{
			"vrrp4-51: net.ipv4.conf.vrrp4-51.arp_ignore was 0: set to 1"}},
		{"address generation, by netlink", "ip link set vrrp6-51 addrgenmode eui64", []string{
			"vrrp6-51: net.ipv6.conf.vrrp6-51.addr_gen_mode was 0: set to 1"}},
		{"sysctl of the parent", "sysctl -qw net.ipv4.conf.eth0.arp_announce=1", []string{
			"net.ipv4.conf.eth0.arp_announce was 1: set to 2"}},
		{"device deleted", "ip link del vrrp4-51", []string{
			"vrrp4-51: add address 10.0.0.100/24", "vrrp4-51: add address 10.0.0.101/32", "vrrp4-51: create the device", "vrrp4-51: set it up"}},
		{"MAC changed", "ip link set vrrp4-51 address 02:aa:aa:aa:aa:aa", []string{
			"vrrp4-51: add address 10.0.0.100/24", "vrrp4-51: add address 10.0.0.101/32", "vrrp4-51: create the device",
			"vrrp4-51: remove the device, whose name, parent, MAC or mode is wrong", "vrrp4-51: set it up"}},
		{"somebody's own address", "ip address add 10.0.0.200/24 dev vrrp4-51", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := testns.NewPair(t)
			h := openHost(t, p.Director, t.TempDir())
			defer h.Close()
			ensure(t, h, spec4(), spec6())
			testns.Must(t, h.Claim("vrrp4-51", "vrrp6-51"))
			p.Director.Run(c.harm)
			got := texts(reconcile(p.Director, h))
			got = slices.DeleteFunc(got, func(s string) bool { // a new device gets all its sysctls
				return c.name != "sysctl of the device" && strings.HasPrefix(s, "vrrp4-51: net.")
			})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("repairs (-want +got):\n%s", diff)
			}
			if again := reconcile(p.Director, h); len(again) != 0 {
				t.Errorf("the second Reconcile did something: %v", again)
			}
			if c.name == "somebody's own address" && !strings.Contains(p.Director.Run("ip address show vrrp4-51"), "10.0.0.200") {
				t.Error("somebody's own address was removed")
			}
		})
	}
}

func TestReconcileBare(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4())
	p.Director.Run(`
		ip link set vrrp4-51 up
		ip address add 10.0.0.100/24 dev vrrp4-51`)
	want := []string{"vrrp4-51: remove address 10.0.0.100/24", "vrrp4-51: set it down"}
	if diff := cmp.Diff(want, texts(reconcile(p.Director, h))); diff != "" {
		t.Errorf("repairs (-want +got):\n%s", diff)
	}
}

// Between the halves of a release nothing is to be mended, and what would go on
// answering has let go already.
func TestReconcileDuringRelease(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	tap := testns.NewTap(p.Neighbour, "net0")
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	lan := Spec{Name: "lan", Parent: "eth0", Addresses: addresses("10.0.0.77/24")}
	ensure(t, h, spec4(), lan)
	testns.Must(t, h.Claim("vrrp4-51", "lan"))
	tap.Says("claimed", "10.0.0.100", vmac)
	tap.Says("claimed", "10.0.0.77", baseMAC)
	testns.Must(t, h.Disable("vrrp4-51", "lan"))
	tap.Says("silenced", "10.0.0.100")
	tap.Says("silenced", "10.0.0.77")
	if got := texts(reconcile(p.Director, h)); len(got) != 0 {
		t.Errorf("repairs: %v", got)
	}
	if show := p.Director.Run("ip address show vrrp4-51"); !strings.Contains(show, "10.0.0.100") {
		t.Errorf("not ours to take down yet:\n%s", show)
	}
	testns.Must(t, h.TakeDown("vrrp4-51"))
	testns.Must(t, h.TakeDown("lan"))
	if show := p.Director.Run("ip address show vrrp4-51"); strings.Contains(show, "10.0.0.100") || strings.Contains(show, "UP") {
		t.Errorf("taken down:\n%s", show)
	}
	p.Director.Run("ip link set vrrp4-51 up")
	if got := texts(reconcile(p.Director, h)); len(got) != 1 {
		t.Errorf("repairs afterwards: %v", got)
	}
}

// The parent goes, as a VLAN or bond does at a reload of the network, and
// comes back with another index.
func TestParentComesBack(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	first := ensure(t, h, spec4())[0]
	testns.Must(t, h.Claim("vrrp4-51"))
	p.Director.Run("ip link delete eth0")
	if r := reconcile(p.Director, h); len(r) != 0 {
		t.Errorf("without its parent: %v", r)
	}
	if err := h.Claim("vrrp4-51"); !errors.Is(err, ErrNoParent) {
		t.Errorf("claim without a parent: %v", err)
	}
	p.Director.Run(`
		ip link add name eth0 type veth peer name eth1
		ip link set eth0 up`)
	reconcile(p.Director, h)
	show := p.Director.Run("ip address show vrrp4-51")
	if !strings.Contains(show, "10.0.0.100/24") || !strings.Contains(show, ",UP") {
		t.Errorf("not claimed on the new parent:\n%s", show)
	}
	if v := p.Director.Get("ipv4/conf/eth0/arp_ignore"); v != "1" {
		t.Errorf("arp_ignore of the new parent is %s", v)
	}
	if second := ensure(t, h, spec4())[0]; second.ParentIndex == first.ParentIndex || second.IfIndex == 0 {
		t.Errorf("%+v, then %+v", first, second)
	}
}

func TestEnsureRefuses(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	p.Director.Run(`
		ip link add name vrrp4-51 type veth peer name other
		ip link add link eth0 name vrrp4-52 address 02:00:00:00:00:52 type macvlan`)
	edit := func(f func(*Spec)) Spec { s := spec4(); f(&s); return s }
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{spec4(), `device vrrp4-51 exists and is not ours (veth, alias "")`},
		{edit(func(s *Spec) { s.Name = "vrrp4-52" }), `device vrrp4-52 exists and is not ours (macvlan, alias "")`},
		{edit(func(s *Spec) { s.Parent = "eth9" }), "interface eth9 does not exist"},
		{edit(func(s *Spec) { s.Name, s.Parent = "vrrp4-53", "lo" }), "lo is not an Ethernet interface"},
		{edit(func(s *Spec) { s.Name = "vrrp.51" }), `device name "vrrp.51"`},
		{edit(func(s *Spec) { s.Name = "sixteen-bytes-xx" }), `device name "sixteen-bytes-xx"`},
		{edit(func(s *Spec) { s.MAC = frame.MAC{1} }), "is a multicast MAC"},
		{edit(func(s *Spec) { s.Addresses = addresses("10.0.0.7/24", "10.0.0.7/32") }), "10.0.0.7 is given twice"},
	} {
		got, err := h.Ensure(c.spec)
		if err == nil || !strings.Contains(err.Error(), c.want) || got[0].Err == nil {
			t.Errorf("Ensure(%+v): %v, want %q", c.spec, err, c.want)
		}
		testns.Must(t, h.Remove(c.spec.Name))
	}
	if show := p.Director.Run("ip link show"); !strings.Contains(show, "vrrp4-51") || !strings.Contains(show, "vrrp4-52") {
		t.Errorf("somebody else's device was removed:\n%s", show)
	}
	if err := h.Claim("nobody"); err == nil {
		t.Error("a device that was not ensured was claimed")
	}
	// One that cannot be does not keep the others from being.
	good := edit(func(s *Spec) { s.Name = "vrrp4-60" })
	all, err := h.Ensure(spec4(), good)
	if err == nil || all[0].Err == nil || all[1].Err != nil || all[1].IfIndex == 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestReloadOfAddresses(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	s := spec4()
	ensure(t, h, s)
	testns.Must(t, h.Claim(s.Name))
	s.Addresses = addresses("10.0.0.101/32", "10.0.0.102/24")
	index := ensure(t, h, s)[0].IfIndex
	show := p.Director.Run("ip address show vrrp4-51")
	if strings.Contains(show, "10.0.0.100") || !strings.Contains(show, "10.0.0.101") || !strings.Contains(show, "10.0.0.102") {
		t.Errorf("after the reload:\n%s", show)
	}
	s.MAC[5] = 0x34
	if again := ensure(t, h, s)[0].IfIndex; again == index {
		t.Error("another MAC, and the device is the same")
	}
	if show = p.Director.Run("ip address show vrrp4-51"); !strings.Contains(show, "10.0.0.102") || !strings.Contains(show, "01:34") {
		t.Errorf("after the change of MAC:\n%s", show)
	}
}

// crash ends a Host as SIGKILL does.
func (h *Host) crash() { h.conn.Close() }

// A parent that is renamed takes along what is on it. When the virtual router
// lets go, for its interface is missing, nothing of it stays behind, whoever
// comes first.
func TestParentRenamed(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"reconcile first", "release first", "mute first"} {
		p := testns.NewPair(t)
		h := openHost(t, p.Director, t.TempDir())
		defer h.Close()
		lan := Spec{Name: "lan", Parent: "eth0", Addresses: addresses("10.0.0.77/24", "2001:db8::77/64")}
		ensure(t, h, spec4(), lan)
		testns.Must(t, h.Claim("vrrp4-51", "lan"))
		i, err := h.Interface("eth0")
		testns.Must(t, err)
		p.Director.Run("ip link set eth0 name wan0")
		if at, err := h.InterfacesAt(i.Index, 4711); err != nil || len(at) != 1 || at[i.Index].Name != "wan0" || at[i.Index].MAC != i.MAC {
			t.Errorf("%s: renamed, it is %+v, %v", order, at, err)
		}
		switch order {
		case "reconcile first":
			reconcile(p.Director, h)
		case "mute first":
			testns.Must(t, h.Mute("vrrp4-51", "lan"))
			reconcile(p.Director, h)
			text := p.Director.Run("ip address show")
			if !strings.Contains(text, "10.0.0.77") || !strings.Contains(text, "10.0.0.100") {
				t.Errorf("what is let go of does not serve until it is released:\n%s", text)
			}
		}
		testns.Must(t, h.Release("vrrp4-51", "lan"))
		reconcile(p.Director, h)
		if text := p.Director.Run("ip address show"); strings.Contains(text, "10.0.0.77") ||
			strings.Contains(text, "2001:db8::77") || strings.Contains(text, "10.0.0.100") {
			t.Errorf("%s: the addresses are there still:\n%s", order, text)
		}
		p.Director.Run("ip link set wan0 name eth0")
		testns.Must(t, h.Claim("vrrp4-51", "lan"))
		if text := p.Director.Run("ip address show"); !strings.Contains(text, "10.0.0.77") || !strings.Contains(text, "10.0.0.100") {
			t.Errorf("%s: renamed back, the addresses are not there:\n%s", order, text)
		}
		testns.Must(t, h.Remove("vrrp4-51", "lan"))
		if text := p.Director.Run("ip address show"); strings.Contains(text, "10.0.0.77") || strings.Contains(text, "vrrp4-51") {
			t.Errorf("%s: after the end:\n%s", order, text)
		}
		if v := p.Director.Get("ipv4/conf/eth0/arp_ignore"); v != "0" {
			t.Errorf("%s: after the end arp_ignore is %s", order, v)
		}
	}
}
