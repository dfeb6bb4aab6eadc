package ipvs_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
	"holdfast/integration/uml"
)

// softdog loads the kernel's software watchdog, which says in the kernel's log that it
// would reset the machine now, and returns its device. /dev/watchdog is another one, of
// User Mode Linux.
func softdog(t *testing.T) string {
	t.Helper()
	if !uml.Guest() {
		tools.Without(t, "uml", "softdog is for a kernel that may be reset: User Mode Linux (HOLDFAST_UML=always)")
	}
	if out, err := exec.Command("/run/modprobe", "softdog", "soft_noboot=1", "nowayout=0").CombinedOutput(); err != nil {
		tools.Without(t, "ipvs", "there is no softdog: "+string(out))
	}
	t.Cleanup(func() { _ = exec.Command("/run/modprobe", "-r", "softdog").Run() })
	var device string
	lab.Wait(t, 10*time.Second, "the device of softdog", func() (string, bool) {
		all, _ := filepath.Glob("/dev/watchdog?")
		if len(all) > 0 {
			device = all[0]
		}
		return "", len(all) > 0
	})
	return device
}

// kernelSays returns how many lines of the kernel's log have a text.
func kernelSays(t *testing.T, text string) int {
	t.Helper()
	b := make([]byte, 1<<20)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, b)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b[:n]), text)
}

// The kernel's watchdog is fed, also across an upgrade; it would reset the machine when
// the VRRP loop hangs, and is disarmed by a reload without it and by a stop.
func TestHardwareWatchdog(t *testing.T) {
	device := softdog(t)
	const reset, forgotten = "Triggered - Reboot ignored", "watchdog did not stop"
	p := lab.NewPair(t, 1)
	with := "watchdog = \"" + device + "\"\nwatchdog_timeout = \"5s\"\n" + config(0, "")
	d := startWith(t, p, func(int) string { return with })[0]
	armed := func(want bool) {
		t.Helper()
		d.Await(t, "the watchdog is as configured", func(lab.Status) (string, bool) {
			var s struct {
				Watchdog struct {
					Armed    bool
					Identity string
					Timeout  float64 `json:"timeout_ms"`
				}
			}
			err := d.StatusInto(&s)
			return s.Watchdog.Identity, err == nil && s.Watchdog.Armed == want && (!want || s.Watchdog.Identity == "Software Watchdog" && s.Watchdog.Timeout == 5000)
		})
	}
	none := func(text, why string) {
		t.Helper()
		if n := kernelSays(t, text); n > 0 {
			t.Errorf("the kernel says %d times %q: %s", n, text, why)
		}
	}
	armed(true)
	if text, _, _ := d.CLI("status"); !strings.Contains(text, device+" (Software Watchdog) resets the machine after 5s without food") {
		t.Errorf("status:\n%s", text)
	}
	if _, stderr, err := d.CLI("upgrade"); err != nil {
		t.Fatalf("upgrade: %v %s", err, stderr)
	}
	d.Await(t, "the new binary", func(lab.Status) (string, bool) {
		var s struct{ Upgrades int }
		err := d.StatusInto(&s)
		return "", err == nil && s.Upgrades == 1
	})
	armed(true)
	time.Sleep(6 * time.Second) // nothing tells that the watchdog does not fire
	none(reset, "it was not fed")
	none(forgotten, "the old binary closed it")

	reload := func(config string) {
		t.Helper()
		d.Configure(config)
		if err := d.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	reload(config(0, ""))
	armed(false)
	none(forgotten, "a reload disarms it")
	reload(with)
	armed(true)
	d.Signal(syscall.SIGSTOP)
	lab.Wait(t, 20*time.Second, "the kernel says "+reset, func() (string, bool) { return "", kernelSays(t, reset) > 0 })
	d.Signal(syscall.SIGCONT)
	if status := d.Stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	none(forgotten, "a stop disarms it")
}
