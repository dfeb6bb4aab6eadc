package netdev

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/netdev/frame"
	"holdfast/netdev/internal/testns"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
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

func TestCrash(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	p.Director.Set("ipv4/conf/eth0/arp_announce", "1")
	p.Director.Set("ipv4/conf/all/rp_filter", "1")
	before := state(p.Director)
	dir := t.TempDir()
	first := openHost(t, p.Director, dir)
	ensure(t, first, spec4(), spec6())
	testns.Must(t, first.Claim("vrrp4-51", "vrrp6-51"))
	first.crash()

	second := openHost(t, p.Director, dir)
	if left := second.Left(); len(left) != 2 || left[0].Name != "vrrp4-51" || left[0].MAC != vmac {
		t.Errorf("left: %+v", left)
	}
	for _, d := range ensure(t, second, spec4(), spec6()) {
		if !d.Leftover {
			t.Errorf("%s is not said to be left over", d.Name)
		}
	}
	if show := p.Director.Run("ip address show"); strings.Contains(show, "10.0.0.100") || strings.Contains(show, "2001:db8::100") {
		t.Errorf("addresses are still there:\n%s", show)
	}
	second.crash()

	// The third run was configured without one of them.
	third := openHost(t, p.Director, dir)
	s := spec4()
	s.Keep = true
	if d := ensure(t, third, s)[0]; d.Leftover {
		t.Error("a device that was left bare is said to be left over")
	}
	r, err := third.Sweep()
	testns.Must(t, err)
	if len(r) != 1 || r[0].Device != "vrrp6-51" {
		t.Errorf("swept: %v", r)
	}
	testns.Must(t, third.Claim("vrrp4-51"))
	third.crash()

	fourth := openHost(t, p.Director, dir)
	if d := ensure(t, fourth, s)[0]; !d.Leftover {
		t.Error("not left over")
	}
	if show := p.Director.Run("ip address show vrrp4-51"); !strings.Contains(show, "10.0.0.100") {
		t.Errorf("a device that was to be kept lost its address:\n%s", show)
	}
	p.Director.Enter()
	testns.Must(t, fourth.Close())
	if after := state(p.Director); after != before {
		t.Errorf("state changed:\n%s", lineDiff(before, after))
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("files were left: %v", files)
	}
}

// What somebody set while we ran is theirs, and is not taken back.
func TestCloseKeepsWhatOthersSet(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	ensure(t, h, spec4())
	p.Director.Set("ipv4/conf/eth0/arp_ignore", "2")
	if r := reconcile(p.Director, h); len(r) != 0 {
		t.Errorf("a stricter value was changed: %v", r)
	}
	testns.Must(t, h.Close())
	if v := p.Director.Get("ipv4/conf/eth0/arp_ignore"); v != "2" {
		t.Errorf("arp_ignore is %s, somebody had set it to 2", v)
	}
	if v := p.Director.Get("ipv4/conf/eth0/arp_announce"); v != "0" {
		t.Errorf("arp_announce is %s, it was 0", v)
	}
}

// Sysctls of a parent are given back when its last device goes, under the name
// that it has then.
func TestParentIsSharedAndRenamed(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	before := state(p.Director)
	h := openHost(t, p.Director, t.TempDir())
	other := spec4()
	other.Name, other.MAC[5], other.Addresses = "vrrp4-52", 0x34, addresses("10.0.0.110/24")
	ensure(t, h, spec4(), other)
	testns.Must(t, h.Remove("vrrp4-51"))
	if v := p.Director.Get("ipv4/conf/eth0/arp_ignore"); v != "1" {
		t.Errorf("arp_ignore is %s while a device needs 1", v)
	}
	p.Director.Run("ip link set eth0 down name wan.0")
	p.Director.Enter()
	testns.Must(t, h.Close())
	p.Director.Run(`
		ip link set wan.0 down name eth0
		ip address replace 2001:db8::1/64 dev eth0
		ip link set eth0 up`)
	testns.Eventually(t, "state is as before", func() bool { return state(p.Director) == before })
}

func TestInterfaceMode(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	tap := testns.NewTap(p.Neighbour, "net0")
	p.Director.Run("ip address add 10.0.0.200/24 dev eth0")
	before := state(p.Director)
	dir := t.TempDir()
	h := openHost(t, p.Director, dir)
	s := Spec{Name: "lan", Parent: "eth0", Addresses: addresses("10.0.0.100/24", "10.0.0.200/24", "2001:db8::100/64")}
	ensure(t, h, s)
	tap.Says("bare", "10.0.0.100")
	testns.Must(t, h.Claim("lan"))
	testns.Must(t, h.Mute("lan"))
	tap.Says("claimed", "10.0.0.100", baseMAC)
	tap.Says("claimed", "2001:db8::100", baseMAC)
	i, err := h.Interface("eth0")
	testns.Must(t, err)
	if slices.ContainsFunc(i.Addresses, func(p netip.Prefix) bool { return p.Addr().String() == "10.0.0.100" }) {
		t.Errorf("a virtual address counts as the parent's own: %v", i.Addresses)
	}
	h.crash()

	h = openHost(t, p.Director, dir)
	if d := ensure(t, h, s)[0]; !d.Leftover {
		t.Error("addresses on the parent are not said to be left over")
	}
	tap.Says("after the crash", "10.0.0.100")
	tap.Says("it was there before us", "10.0.0.200", baseMAC)
	testns.Must(t, h.Claim("lan"))
	h.crash()

	h = openHost(t, p.Director, dir)
	r, err := h.Sweep()
	testns.Must(t, err)
	if len(r) != 2 {
		t.Errorf("swept: %v", r)
	}
	testns.Must(t, h.Close())
	if after := state(p.Director); after != before {
		t.Errorf("state changed:\n%s", lineDiff(before, after))
	}
}

// Adopt changes nothing in the kernel, knows what is there, and leaves a device to
// whoever comes first: a claim, or Ensure.
func TestAdopt(t *testing.T) {
	p := testns.NewPair(t)
	p.Director.Run(`
		ip link add taken link eth0 type macvlan
		ip link add vrrp4-51 link eth0 address 00:00:5e:00:01:33 type macvlan mode bridge`) // by a run that came no further
	before := state(p.Director)
	dir := t.TempDir()
	first := openHost(t, p.Director, dir)
	strange := spec6()
	strange.Name = "taken"
	all, err := first.Adopt(spec4(), strange)
	if err == nil || all[0].Err != nil || all[1].Err == nil {
		t.Errorf("of a device that is not ours: %+v, %v", all, err)
	}
	if after := state(p.Director); after != before {
		t.Errorf("Adopt changed something:\n%s", lineDiff(before, after))
	}
	if left := openHost(t, p.Director, dir).Left(); len(left) != 2 {
		t.Errorf("not in the journal: %+v", left)
	}

	p.Director.Enter()
	testns.Must(t, first.Remove("taken"))
	testns.Must(t, first.Claim("vrrp4-51"))
	if did := reconcile(p.Director, first); len(did) > 0 {
		t.Errorf("a claim before Ensure was not whole: %v", did)
	}
	if d := ensure(t, first, spec4())[0]; d.Leftover || d.IfIndex == 0 {
		t.Errorf("after a claim: %+v", d)
	}
	claimed := p.Director.Run("ip address show vrrp4-51")
	if !strings.Contains(claimed, "state UP") || !strings.Contains(claimed, "10.0.0.101/32") {
		t.Errorf("a claim before Ensure did not last:\n%s", claimed)
	}
	first.crash()

	second := openHost(t, p.Director, dir)
	kept := spec4()
	kept.Keep = true
	for _, do := range []func(...Spec) ([]Device, error){second.Adopt, second.Ensure} {
		all, err := do(kept)
		testns.Must(t, err)
		if !all[0].Leftover {
			t.Errorf("not left over: %+v", all[0])
		}
	}
	testns.Must(t, second.Mute("vrrp4-51"))
	testns.Must(t, second.Close())
}

// Where the kernel cannot mark addresses, the journal says which are ours.
func TestHeldAddresses(t *testing.T) {
	k := newFakeKernel()
	eth0 := k.plug(link{name: "eth0", ethernet: true, kind: "device"})
	ours, theirs := netip.MustParsePrefix("10.0.0.100/24"), netip.MustParsePrefix("10.0.0.1/24")
	k.addresses[eth0.index] = []address{{index: eth0.index, prefix: ours}, {index: eth0.index, prefix: theirs}}
	h := &Host{journal: &journal{Addresses: []heldAddress{{eth0.index, ours}}}, devices: map[string]*device{}}
	d := h.register(Spec{Name: "lan", Parent: "eth0", Addresses: []Address{{Prefix: ours}, {Prefix: theirs}}}, k.observation)
	if !d.mine[ours] || d.mine[theirs] {
		t.Errorf("ours: %v", d.mine)
	}
}

// A journal of another boot or namespace says nothing about this one.
func TestJournalOfAnotherBoot(t *testing.T) {
	n := testns.New(t, "journal")
	n.Enter()
	dir := t.TempDir()
	j, err := openJournal(dir)
	testns.Must(t, err)
	j.Sysctls = []record{{Key: "ipv4/conf/lo/arp_ignore", IfIndex: 1, Was: "0", Set: "1"}}
	testns.Must(t, j.save())
	if j, err = openJournal(dir); err != nil || len(j.Sysctls) != 1 {
		t.Fatalf("own journal: %+v, %v", j, err)
	}
	other := testns.New(t, "other")
	other.Enter()
	if j, err = openJournal(dir); err != nil || len(j.Sysctls) != 0 {
		t.Errorf("journal of another namespace: %+v, %v", j, err)
	}
	n.Enter()
	j, err = openJournal(dir)
	testns.Must(t, err)
	j.Boot = "another"
	testns.Must(t, j.save())
	if j, err = openJournal(dir); err != nil || len(j.Sysctls) != 0 {
		t.Errorf("journal of another boot: %+v, %v", j, err)
	}
	testns.Must(t, os.WriteFile(filepath.Join(dir, JournalName), []byte(`{"version":`), 0o600))
	if _, err = openJournal(dir); err == nil || !strings.Contains(err.Error(), JournalName) {
		t.Errorf("half a journal: %v", err)
	}
}

// In a container /proc/sys is often mounted read-only. That is said, and no
// device is made that would leak.
func TestReadOnlySysctls(t *testing.T) {
	p := testns.NewPair(t)
	p.Director.Enter()
	testns.Must(t, unix.Unshare(unix.CLONE_NEWNS))
	testns.Must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	testns.Must(t, unix.Mount("/proc/sys", "/proc/sys", "", unix.MS_BIND, ""))
	testns.Must(t, unix.Mount("", "/proc/sys", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	h := openHost(t, p.Director, t.TempDir())
	_, err := h.Ensure(spec4())
	want := "set net.ipv4.conf.eth0.arp_ignore to 1: read-only file system: /proc/sys is mounted read-only here"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Ensure: %v, want %q", err, want)
	}
	if err := Preflight(); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("Preflight: %v", err)
	}
	if show := p.Director.Run("ip link show"); strings.Contains(show, "vrrp4-51") {
		t.Errorf("a device was made:\n%s", show)
	}
}

func TestSysctlName(t *testing.T) {
	if got := sysctlName("ipv4/conf/eth0.10/rp_filter"); got != "net.ipv4.conf.eth0/10.rp_filter" {
		t.Error(got)
	}
}

// Preflight is run without each right in turn, and says which is missing.
func TestPreflight(t *testing.T) {
	testns.New(t, "preflight")
	if err := Preflight(); err != nil {
		t.Fatalf("with all rights: %v", err)
	}
	drop := func(capability int) {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		testns.Must(t, unix.Capget(&header, &data[0]))
		data[0].Effective &^= 1 << capability
		testns.Must(t, unix.Capset(&header, &data[0])) // of this thread, which ends with the test
	}
	drop(unix.CAP_NET_RAW)
	err := Preflight()
	if err == nil || !strings.Contains(err.Error(), "CAP_NET_RAW is missing") || strings.Contains(err.Error(), "ADMIN") {
		t.Errorf("without CAP_NET_RAW: %v", err)
	}
	drop(unix.CAP_NET_ADMIN)
	if err = Preflight(); err == nil || !strings.Contains(err.Error(), "CAP_NET_ADMIN is missing") {
		t.Errorf("without CAP_NET_ADMIN: %v", err)
	}
}

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
