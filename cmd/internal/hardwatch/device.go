// Package hardwatch feeds a hardware watchdog: a timer that resets the machine unless it
// is fed (Linux, Documentation/watchdog/watchdog-api.rst).
package hardwatch

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Device is an armed watchdog.
type Device struct {
	file *os.File
	// Identity is what the driver calls the device, and Timeout the time within which
	// it must be fed.
	Identity string
	Timeout  time.Duration
	// NoWayOut says that the kernel does not let anybody disarm it.
	NoWayOut bool
}

// Open arms a watchdog. The device may round the timeout. One that is armed already, by
// a process that did not disarm it, is fed with that.
func Open(path string, timeout time.Duration) (*Device, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	d := &Device{file: f}
	if err := d.arm(timeout); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

func (d *Device) arm(timeout time.Duration) error {
	info, err := unix.IoctlGetWatchdogInfo(int(d.file.Fd()))
	if err != nil {
		return fmt.Errorf("is no watchdog: %w", err)
	}
	d.Identity = string(bytes.TrimRight(info.Identity[:], "\x00"))
	seconds := int32((timeout + time.Second - 1) / time.Second)
	if info.Options&unix.WDIOF_SETTIMEOUT != 0 {
		// The kernel writes back what the device can do.
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, d.file.Fd(), unix.WDIOC_SETTIMEOUT, uintptr(unsafe.Pointer(&seconds))); errno != 0 {
			return fmt.Errorf("set a timeout of %d s: %w", seconds, errno)
		}
	} else if n, err := unix.IoctlGetInt(int(d.file.Fd()), unix.WDIOC_GETTIMEOUT); err == nil {
		seconds = int32(n)
	}
	d.Timeout = time.Duration(seconds) * time.Second
	d.NoWayOut = noWayOut(d.file)
	return d.Feed()
}

// noWayOut asks sysfs whether the watchdog cannot be disarmed. /dev/watchdog is the same
// as the device of number 0 (watchdog_dev.c).
func noWayOut(f *os.File) bool {
	name := filepath.Base(f.Name())
	if name == "watchdog" {
		name = "watchdog0"
	}
	b, err := os.ReadFile("/sys/class/watchdog/" + name + "/nowayout")
	return err == nil && strings.TrimSpace(string(b)) == "1"
}

// Feed gives the watchdog another Timeout.
func (d *Device) Feed() error {
	if err := unix.IoctlWatchdogKeepalive(int(d.file.Fd())); err != nil {
		return fmt.Errorf("feed the watchdog: %w", err)
	}
	return nil
}

// Leave feeds the watchdog once more and closes it armed: whoever opens it within
// Timeout goes on with it.
func (d *Device) Leave() error {
	err := d.Feed()
	if cerr := d.file.Close(); err == nil {
		err = cerr
	}
	return err
}

// Disarm stops the watchdog and closes it, by a magic close. It is an error if that is
// not possible: the machine is reset after Timeout.
func (d *Device) Disarm() error {
	if _, err := d.file.WriteString("V"); err != nil {
		_ = d.file.Close()
		return fmt.Errorf("disarm the watchdog: %w", err)
	}
	if err := d.file.Close(); err != nil {
		return fmt.Errorf("disarm the watchdog: %w", err)
	}
	if d.NoWayOut {
		return fmt.Errorf("the watchdog cannot be disarmed (nowayout): the machine is reset in %v unless it is fed again", d.Timeout)
	}
	return nil
}
