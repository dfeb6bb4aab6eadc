package integration_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// unwell waits until status says what is wrong, and exits 1.
func unwell(t *testing.T, d *lab.Daemon, text string) {
	t.Helper()
	lab.Wait(t, 5*time.Second, "UNWELL: "+text, func() (string, bool) {
		out, _, err := d.CLI("status")
		return out, err != nil && strings.Contains(out, "UNWELL: ") && strings.Contains(out, text)
	})
}

// well waits until status exits 0.
func well(t *testing.T, d *lab.Daemon) {
	t.Helper()
	lab.Wait(t, 5*time.Second, "nothing unwell", func() (string, bool) {
		out, _, err := d.CLI("status")
		return out, err == nil
	})
}

// A virtual address that somebody adds to another interface of a BACKUP is unwell
// at once, with interface and address, and well again when it is gone. So it is if
// it was there before the daemon started, or before a reload that adds the instance.
func TestForeignVirtualAddress(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	daemons := directors(t, p, lab.Director{IPv6: true})
	backup, host := daemons[1], p.Directors[1]
	well(t, backup)
	for _, address := range []string{lab.VIP + "/32", lab.VIP + "/8", lab.VIP6 + "/128"} {
		began := mark(t, backup)
		if strings.Contains(address, ":") {
			host.Run("ip", "addr", "add", address, "dev", "eth0", "nodad")
		} else {
			host.Run("ip", "addr", "add", address, "dev", "eth0")
		}
		unwell(t, backup, "eth0 has the virtual address "+address)
		host.Run("ip", "addr", "del", address, "dev", "eth0")
		well(t, backup)
		lab.Wait(t, 5*time.Second, "two events", func() (string, bool) {
			all := events(t, backup, began).Of("problem")
			var to []string
			for _, e := range all {
				to = append(to, e.To)
			}
			return strings.Join(to, " "), strings.Join(to, " ") == "found gone"
		})
	}
	host.Run("ip", "addr", "add", lab.VIP+"/32", "dev", "eth1")
	backup.Restart()
	unwell(t, backup, "eth1 has the virtual address "+lab.VIP+"/32")
}

// Without its journal a release says what it cannot know.
func TestReleaseWithoutJournal(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	daemons := directors(t, p, lab.Director{})
	daemons[0].Crash()
	if err := os.Remove(filepath.Join(daemons[0].RuntimeDir(), "netdev.json")); err != nil {
		t.Fatal(err)
	}
	if complaint := refused(t, daemons[0], "release"); !strings.Contains(complaint, "vrrp4-51") || !strings.Contains(complaint, "arp_ignore") {
		t.Errorf("release: %s", complaint)
	}
	if out := p.Directors[0].Run("ip", "link", "show"); strings.Contains(out, "vrrp4-51") {
		t.Errorf("it is still there:\n%s", out)
	}
}
