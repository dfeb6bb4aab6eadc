package ipvs

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"holdfast/lvs"
)

// link makes an interface with an address, which a sync daemon needs.
func link(t *testing.T, name string) {
	t.Helper()
	// A veth pair with both ends here, because not every kernel has dummy devices.
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name + "p"}
	if err := netlink.LinkAdd(veth); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{name, name + "p"} {
		l, err := netlink.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetUp(l); err != nil {
			t.Fatal(err)
		}
		for _, format := range []string{"10.1.1.%d/24", "fd00:1::%d/64"} {
			a, err := netlink.ParseAddr(fmt.Sprintf(format, i+1))
			if err != nil {
				t.Fatal(err)
			}
			a.Flags = syscall.IFA_F_NODAD
			if err := netlink.AddrAdd(l, a); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestSyncDaemonFollows(t *testing.T) {
	c := kernel(t)
	link(t, "sync0")
	config := lvs.SyncConfig{Interface: "sync0", ID: 42, Follow: "director"}
	var slowest time.Duration
	for step := range 12 {
		master := step%2 == 1
		start := time.Now()
		if _, err := c.ApplySync(config.Wanted(master)); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		slowest = max(slowest, time.Since(start))
		got, err := c.SyncDaemons()
		if err != nil {
			t.Fatal(err)
		}
		want := config.Wanted(master)
		want[0].MaxLen = 1472 // an MTU of 1500 less the headers
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b lvs.SyncDaemon) bool { return a == b })); diff != "" {
			t.Fatalf("step %d (-want +got):\n%s", step, diff)
		}
		out := ipvsadm(t, "-L", "--daemon")
		if role := map[bool]string{true: "master", false: "backup"}[master]; !strings.HasPrefix(out, role+" sync daemon (mcast=sync0, syncid=42") || strings.Count(out, "sync daemon") != 1 {
			t.Fatalf("step %d, want %s alone: ipvsadm says %s", step, role, out)
		}
		if made, err := c.ApplySync(config.Wanted(master)); err != nil || len(made) != 0 {
			t.Fatalf("step %d again: %v, %v", step, made, err)
		}
	}
	t.Logf("the slowest of 12 changes took %v", slowest.Round(time.Millisecond))
	if _, err := c.ApplySync(nil); err != nil {
		t.Fatal(err)
	}
	if out := ipvsadm(t, "-L", "--daemon"); out != "" {
		t.Errorf("after the end ipvsadm says %s", out)
	}
}

// The kernel does not acknowledge that it has stopped a daemon whose thread has not
// run yet. With one processor that is usual for a daemon that is stopped right
// after its start.
func TestSyncDaemonStoppedAtOnce(t *testing.T) {
	c := kernel(t)
	link(t, "sync0")
	config := lvs.SyncConfig{Interface: "sync0", Follow: "director"}
	late := 0
	for i := range 20 {
		daemon := config.Wanted(i%2 == 0)[0]
		if err := c.doSync(lvs.SyncOp{Daemon: daemon}); err != nil {
			t.Fatalf("start %d: %v", i, err)
		}
		start := time.Now()
		if err := c.doSync(lvs.SyncOp{Stop: true, Daemon: daemon}); err != nil {
			t.Fatalf("stop %d: %v", i, err)
		}
		took := time.Since(start)
		if took > syncAckTimeout {
			late++
		}
		if took > time.Second {
			t.Errorf("stop %d took %v", i, took)
		}
		if out := ipvsadm(t, "-L", "--daemon"); out != "" {
			t.Fatalf("after stop %d ipvsadm says %s", i, out)
		}
	}
	t.Logf("%d of 20 stops were not acknowledged", late)
}

func TestSyncDaemonParameters(t *testing.T) {
	c := kernel(t)
	link(t, "sync0")
	for _, config := range []lvs.SyncConfig{
		{Interface: "sync0", ID: 255, MaxLen: 1000, Group: netip.MustParseAddr("224.0.0.99"), Port: 9999, TTL: 7},
		{Interface: "sync0", ID: 0, MaxLen: 1200, Group: netip.MustParseAddr("ff02::99"), Port: 258, TTL: 1},
	} {
		if _, err := c.ApplySync(config.Wanted(false)); err != nil {
			t.Fatal(err)
		}
		got, err := c.SyncDaemons()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(config.Wanted(false), got, cmp.Comparer(func(a, b lvs.SyncDaemon) bool { return a == b })); diff != "" {
			t.Errorf("both daemons (-want +got):\n%s", diff)
		}
	}
	if _, err := c.ApplySync(nil); err != nil {
		t.Fatal(err)
	}
	none := lvs.SyncConfig{Interface: "nosuch0", Follow: "g"}
	if _, err := c.ApplySync(none.Wanted(true)); !errors.Is(err, syscall.ENODEV) || !strings.Contains(err.Error(), "nosuch0") {
		t.Errorf("a missing interface: %v", err)
	}
}

func TestSyncAndMixedFamiliesExcludeEachOther(t *testing.T) {
	c := kernel(t)
	link(t, "sync0")
	config := lvs.SyncConfig{Interface: "sync0", Follow: "g"}
	web := tcp("10.0.0.1:80")
	crossing := lvs.Op{Verb: lvs.AddServer, Service: web, Server: lvs.Server{Address: ap("[fd00::1]:80"), Forward: lvs.TUN, Weight: 1}}
	reach(t, c, lvs.Wanted{Service: web})
	if _, err := c.ApplySync(config.Wanted(true)); err != nil {
		t.Fatal(err)
	}
	if err := c.Do(crossing)[0]; !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "sync daemon") {
		t.Errorf("a server of another family beside a sync daemon: %v", err)
	}
	if _, err := c.ApplySync(nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Do(crossing)[0]; err != nil {
		t.Error(err)
	}
	if _, err := c.ApplySync(config.Wanted(true)); !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "another address family") {
		t.Errorf("a sync daemon beside a server of another family: %v", err)
	}
}
