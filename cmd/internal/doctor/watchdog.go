package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// watchdogFacts describe the device of the hardware watchdog. It is not opened: that
// would arm it.
type watchdogFacts struct {
	Path     string // "": none is configured
	Exists   bool
	IsDevice bool
	NoWayOut bool
	Holder   string // "systemd (pid 1)"; "": nobody, or only the daemon
}

func lookAtWatchdog(_ context.Context, p *Patient) (watchdogFacts, error) {
	f := watchdogFacts{Path: p.Config.Director.Watchdog}
	if f.Path == "" {
		return f, nil
	}
	info, err := os.Stat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("look at the watchdog: %w", err)
	}
	f.Exists, f.IsDevice = true, info.Mode()&fs.ModeCharDevice != 0
	if !f.IsDevice {
		return f, nil
	}
	number := watchdogNumber(f.Path)
	b, err := os.ReadFile("/sys/class/watchdog/watchdog" + number + "/nowayout")
	f.NoWayOut = err == nil && strings.TrimSpace(string(b)) == "1"
	daemon := 0
	if p.Status != nil {
		daemon = p.Status.PID
	}
	f.Holder = watchdogHolder("/proc", number, daemon)
	return f, nil
}

// watchdogNumber is the number of a device, of whatever name: a link of udev may be
// called /dev/watchdog-bmc, and /dev/watchdog itself may be a link to any of them. As a
// device of its own /dev/watchdog is another name of /dev/watchdog0
// (drivers/watchdog/watchdog_dev.c).
func watchdogNumber(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return cmp.Or(strings.TrimPrefix(filepath.Base(path), "watchdog"), "0")
}

// watchdogHolder returns the process, other than the daemon, that has the watchdog of a
// number open, as far as this user may see. The kernel shows the name of the device, not
// that of a link to it.
func watchdogHolder(proc, number string, daemon int) string {
	fds, _ := filepath.Glob(proc + "/[0-9]*/fd/*")
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil || !strings.HasPrefix(target, "/dev/watchdog") || cmp.Or(strings.TrimPrefix(target, "/dev/watchdog"), "0") != number {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		if pid := filepath.Base(dir); pid != strconv.Itoa(daemon) {
			comm, _ := os.ReadFile(dir + "/comm")
			return fmt.Sprintf("%s (pid %s)", strings.TrimSpace(string(comm)), pid)
		}
	}
	return ""
}

func judgeWatchdog(p *Patient, f watchdogFacts) (found []Finding) {
	const why = "The machine is not reset when the daemon hangs."
	switch {
	case f.Path == "":
	case !f.Exists:
		found = append(found, Finding{Severity: Error, What: fmt.Sprintf("there is no watchdog %s", f.Path), Why: why,
			Cure: "load the driver of the hardware (lspci -k; in /etc/modules-load.d to make it last), or softdog, which is the kernel's own"})
	case !f.IsDevice:
		found = append(found, Finding{Severity: Error, What: fmt.Sprintf("%s is not a device", f.Path), Why: why, Cure: "name the device with watchdog in [director]"})
	case f.Holder != "":
		found = append(found, Finding{Severity: Error, What: fmt.Sprintf("%s has %s open", f.Holder, f.Path),
			Why:  "Only one process can have a watchdog open. " + why,
			Cure: "end that use: of systemd by RuntimeWatchdogSec=off in /etc/systemd/system.conf; or name another device"})
	}
	if f.NoWayOut {
		found = append(found, Finding{Severity: Note, What: fmt.Sprintf("%s cannot be disarmed (nowayout)", f.Path),
			Why: fmt.Sprintf("After a stop of the daemon the machine is reset when %v have passed.", p.Config.Director.WatchdogTimeout)})
	}
	return found
}
