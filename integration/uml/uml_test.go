package uml

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"holdfast/integration/tools"
)

func TestMain(m *testing.M) { Main(m) }

func TestKernelHasIPVS(t *testing.T) {
	if _, err := netlink.GenlFamilyGet("IPVS"); err != nil {
		t.Fatalf("IPVS family: %v", err)
	}
}

func TestServiceIsInTheTable(t *testing.T) {
	ipvsadm, err := tools.Find("ipvsadm")
	if err != nil {
		tools.Without(t, "ipvs", err)
	}
	// In a namespace of its own: without a guest this is somebody's machine.
	script := ipvsadm + " -A -t 192.0.2.1:80 -s mh && " + ipvsadm + " -Ln"
	out, err := exec.Command("unshare", "-n", "sh", "-c", script).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "192.0.2.1:80 mh") {
		t.Fatalf("ipvsadm: %v\n%s", err, out)
	}
}

func TestScratchFoldersAreTheGuests(t *testing.T) {
	if !Guest() {
		tools.Without(t, "uml", "the running kernel has IPVS: no guest was booted (HOLDFAST_UML=always)")
	}
	for _, dir := range []string{"/tmp", "/run", "/mnt"} {
		if err := os.WriteFile(dir+"/guest", nil, 0o600); err != nil {
			t.Errorf("write in %s: %v", dir, err)
		}
	}
	if err := os.WriteFile("/root/guest", nil, 0o600); err == nil {
		t.Error("the host's files are writable in the guest")
	}
}

func TestGuestArgs(t *testing.T) {
	got := strings.Join(guestArgs([]string{"-test.v", "-test.testlogfile=/tmp/x", "-test.run=A"}), " ")
	if want := "-test.v -test.run=A"; got != want {
		t.Errorf("arguments %q, want %q", got, want)
	}
}

func TestDivide(t *testing.T) {
	tests := strings.Fields("A B C D E F G H I")
	for _, test := range []struct {
		tests, processors, guests int
	}{{9, 1, 0}, {9, 2, 2}, {7, 2, 0}, {0, 2, 0}} {
		shards := divide(tests[:test.tests], test.processors)
		if len(shards) != test.guests {
			t.Errorf("%d tests and %d processors: %d guests, want %d", test.tests, test.processors, len(shards), test.guests)
		}
		if all := slices.Sorted(slices.Values(slices.Concat(shards...))); test.guests > 0 && !slices.Equal(all, tests[:test.tests]) {
			t.Errorf("the guests run %q, want %q", all, tests[:test.tests])
		}
	}
}
