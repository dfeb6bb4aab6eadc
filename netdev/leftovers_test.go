package netdev

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/netdev/internal/testns"
	"holdfast/netdev/sysctl"
)

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
	j, err = openJournal(dir)
	if err != nil || len(j.Sysctls) != 0 || j.damaged == nil || !strings.Contains(j.damaged.Error(), JournalName) {
		t.Errorf("half a journal: %+v, %v", j, err)
	}
	if kept, err := os.ReadFile(filepath.Join(dir, JournalName+".damaged")); err != nil || string(kept) != `{"version":` {
		t.Errorf("half a journal is kept as %q, %v", kept, err)
	}
	if j, err = openJournal(dir); err != nil || j.damaged != nil {
		t.Errorf("after half a journal: %+v, %v", j, err)
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
	if got := sysctl.Name("ipv4/conf/eth0.10/rp_filter"); got != "net.ipv4.conf.eth0/10.rp_filter" {
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
