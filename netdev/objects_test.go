package netdev

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/netdev/internal/testns"

	"golang.org/x/sys/unix"
)

// ownMounts gives the test's thread a mount namespace of its own.
func ownMounts(t *testing.T) {
	t.Helper()
	testns.Must(t, unix.Unshare(unix.CLONE_FS|unix.CLONE_NEWNS))
	testns.Must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
}

// readOnlySysctls mounts /proc/sys read-only for the test's thread, as a container
// runtime does.
func readOnlySysctls(t *testing.T) {
	t.Helper()
	ownMounts(t)
	testns.Must(t, unix.Mount("/proc/sys", "/proc/sys", "", unix.MS_BIND, ""))
	testns.Must(t, unix.Mount("", "/proc/sys", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
}

// kindsOf lists the objects that an error names, as "sysctl net.ipv4...".
func kindsOf(err error) []string {
	var all []string
	for _, o := range Failures(err) {
		all = append(all, o.Kind+" "+o.Name)
	}
	return all
}

func contains(all []string, text string) bool {
	for _, s := range all {
		if s == text {
			return true
		}
	}
	return false
}

// A sysctl that cannot be set is reported by its name, and hides neither other
// sysctls nor the address that somebody deleted.
func TestFailedSysctlHidesNothing(t *testing.T) {
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	s := spec4()
	ensure(t, h, s)
	testns.Must(t, h.Claim(s.Name))
	p.Director.Set("ipv4/conf/eth0/arp_ignore", "0")
	p.Director.Set("ipv4/conf/vrrp4-51/arp_announce", "0")
	readOnlySysctls(t)
	p.Director.Run("ip address del 10.0.0.100/24 dev vrrp4-51")
	_, err := h.Reconcile()
	for _, want := range []string{"sysctl net.ipv4.conf.eth0.arp_ignore", "sysctl net.ipv4.conf.vrrp4-51.arp_announce"} {
		if got := kindsOf(err); !contains(got, want) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
	if !errors.Is(err, unix.EROFS) {
		t.Errorf("the error does not say why: %v", err)
	}
	if failed := FailedDevices(err); len(failed) != 0 {
		t.Errorf("devices that serve are reported as failed: %v", failed)
	}
	if got := p.Director.Run("ip address show vrrp4-51"); !strings.Contains(got, "10.0.0.100/24") {
		t.Errorf("the address is away:\n%s", got)
	}
	if _, err := h.Look(); err == nil {
		t.Error("the next look does not report the sysctls")
	}
}

// An address that cannot be restored is reported by its name with its device, and
// does not keep another address away.
func TestFailedAddressHidesNothing(t *testing.T) {
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	s := spec4()
	s.Addresses = append(addresses("2001:db8::100/64"), s.Addresses...)
	ensure(t, h, s)
	testns.Must(t, h.Claim(s.Name))
	p.Director.Set("ipv6/conf/vrrp4-51/disable_ipv6", "1")
	readOnlySysctls(t)
	p.Director.Run("ip address del 10.0.0.100/24 dev vrrp4-51")
	_, err := h.Reconcile()
	if got := kindsOf(err); !contains(got, "address 2001:db8::100/64") || !contains(got, "sysctl net.ipv6.conf.vrrp4-51.disable_ipv6") {
		t.Errorf("named: %q", got)
	}
	if FailedDevices(err)["vrrp4-51"] == nil {
		t.Errorf("the device that lacks an address has not failed: %v", err)
	}
	if got := p.Director.Run("ip address show vrrp4-51"); !strings.Contains(got, "10.0.0.100/24") {
		t.Errorf("the other address is away:\n%s", got)
	}
}

// A device that never had its sysctls is not brought up.
func TestDeviceWithoutSysctlsStaysDown(t *testing.T) {
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	readOnlySysctls(t)
	if all, err := h.Ensure(spec4()); err == nil || all[0].Err == nil {
		t.Errorf("Ensure: %+v, %v", all, err)
	}
	if err := h.Claim("vrrp4-51"); err == nil {
		t.Error("claimed without sysctls")
	}
	if got := p.Director.Run("ip -o link show"); strings.Contains(got, "vrrp4-51") && strings.Contains(got, "vrrp4-51@eth0: <BROADCAST,MULTICAST,UP") {
		t.Errorf("it is up:\n%s", got)
	}
}

// While the journal cannot be written, nothing is changed that is not in it: not
// at the first try and not at a later one.
func TestFullRuntimeDirectory(t *testing.T) {
	p := testns.NewPair(t)
	ownMounts(t)
	dir := t.TempDir()
	testns.Must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	h := openHost(t, p.Director, dir)
	fill := filepath.Join(dir, "fill")
	if err := os.WriteFile(fill, make([]byte, 1<<17), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the directory is not full: %v", err)
	}
	before := state(p.Director)
	for range 3 {
		if _, err := h.Ensure(spec4()); err == nil || !errors.Is(err, unix.ENOSPC) {
			t.Errorf("Ensure: %v", err)
		}
		if _, err := h.Reconcile(); !contains(kindsOf(err), "journal "+filepath.Join(dir, JournalName)) {
			t.Errorf("Reconcile: %v", err)
		}
		if err := h.Claim("vrrp4-51"); err == nil {
			t.Error("claimed without a journal")
		}
	}
	if after := state(p.Director); after != before {
		t.Error("something was changed without a journal")
	}
	if _, err := os.Stat(filepath.Join(dir, JournalName+".new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half a journal is left: %v", err)
	}
	testns.Must(t, os.Remove(fill))
	if _, err := h.Reconcile(); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if got := p.Director.Run("ip address show vrrp4-51"); !strings.Contains(got, "10.0.0.100/24") {
		t.Errorf("the claim is not carried out:\n%s", got)
	}
	testns.Must(t, h.Close())
}

// An interface that is made again has another index, which the journal must name
// before an address is added to it.
func TestHeldAddressIsRecordedFirst(t *testing.T) {
	p := testns.NewPair(t)
	dir := t.TempDir()
	h := openHost(t, p.Director, dir)
	s := Spec{Name: "eth0/lan", Parent: "eth0", Addresses: addresses("10.0.0.100/24")}
	ensure(t, h, s)
	testns.Must(t, h.Claim(s.Name))
	p.Director.Run(`
		ip link del eth0
		ip link add name other type veth peer name other1
		ip link add name eth0 type veth peer name peer0
		ip link set eth0 up`)
	if _, err := h.Reconcile(); err != nil {
		t.Fatal(err)
	}
	j, err := openJournal(dir)
	testns.Must(t, err)
	want := heldAddress{p.Director.Index("eth0"), netip.MustParsePrefix("10.0.0.100/24")}
	if len(j.Addresses) == 0 || j.Addresses[len(j.Addresses)-1] != want {
		t.Errorf("the journal has %v, not %v", j.Addresses, want)
	}
}
