package ipvs_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
	"holdfast/integration/uml"
)

// kernelSays waits until the kernel's log has so many lines with a text.
func kernelSays(t *testing.T, text string, n int) {
	t.Helper()
	lab.Wait(t, 20*time.Second, "the kernel says "+text, func() (string, bool) {
		log := kernelLog(t)
		return log, strings.Count(log, text) >= n
	})
}

func kernelLog(t *testing.T) string {
	t.Helper()
	b := make([]byte, 1<<20)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// The kernel's software watchdog would reset the machine when the daemon hangs, and does
// not when it is upgraded, or stops.
func TestHardwareWatchdog(t *testing.T) {
	if !uml.Guest() {
		t.Skip("softdog is for a kernel that may be reset: User Mode Linux")
	}
	if out, err := exec.Command("/run/modprobe", "softdog", "soft_noboot=1").CombinedOutput(); err != nil {
		tools.Without(t, "ipvs", "there is no softdog: "+string(out))
	}
	lab.Wait(t, 10*time.Second, "/dev/watchdog", func() (string, bool) {
		_, err := os.Stat("/dev/watchdog")
		return "", err == nil
	})
	const reset, forgotten = "Triggered - Reboot ignored", "watchdog did not stop"
	p := lab.NewPair(t, 1)
	d := startWith(t, p, func(i int) string {
		return "watchdog = \"/dev/watchdog\"\nwatchdog_timeout = \"4s\"\n" + config(i, "")
	})[0]
	armed := func() {
		t.Helper()
		d.Await(t, "the watchdog is armed", func(lab.Status) (string, bool) {
			var s struct {
				Watchdog struct {
					Armed    bool
					Identity string
					Timeout  float64 `json:"timeout_ms"`
				}
			}
			err := d.StatusInto(&s)
			return "", err == nil && s.Watchdog.Armed && s.Watchdog.Identity == "Software Watchdog" && s.Watchdog.Timeout == 4000
		})
	}
	armed()
	if _, stderr, err := d.CLI("upgrade"); err != nil {
		t.Fatalf("upgrade: %v %s", err, stderr)
	}
	kernelSays(t, forgotten, 1) // the old binary left it armed for the new one
	armed()
	time.Sleep(6 * time.Second) // longer than the timeout: it must not fire meanwhile
	if strings.Contains(kernelLog(t), reset) {
		t.Fatal("the watchdog was not fed")
	}
	d.Signal(syscall.SIGSTOP)
	kernelSays(t, reset, 1)
	d.Signal(syscall.SIGCONT)
	armed()
	if status := d.Stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if n := strings.Count(kernelLog(t), forgotten); n != 1 {
		t.Errorf("the kernel says %d times that the watchdog was left armed, and the stop disarms it", n)
	}
}
