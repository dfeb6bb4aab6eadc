// Package hardwatch feeds a hardware watchdog: a timer that resets the machine unless it
// is fed (Linux, Documentation/watchdog/watchdog-api.rst).
package hardwatch

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// About is what is known of an armed watchdog.
type About struct {
	Identity string        // what the driver calls the device
	Timeout  time.Duration // within which it must be fed; the device may have rounded it
	NoWayOut bool          // the kernel says that it lets nobody disarm it
}

// A Device is an armed watchdog.
type Device struct {
	file  *os.File
	about About
}

// Open arms a watchdog. One that is armed already, by a process that ended without
// disarming it, goes on with the new timeout.
func Open(path string, timeout time.Duration) (*Device, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return arm(f, timeout)
}

// Adopt goes on with the descriptor fd that another binary in this process has left
// open (HandOn). It does not touch a descriptor that is not of the device at path.
func Adopt(path string, fd int, timeout time.Duration) (*Device, error) {
	var there, here unix.Stat_t
	if err := unix.Stat(path, &there); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if err := unix.Fstat(fd, &here); err != nil || here.Mode&unix.S_IFMT != unix.S_IFCHR || here.Rdev != there.Rdev {
		return nil, fmt.Errorf("the descriptor %d that was left is not of %s", fd, path)
	}
	unix.CloseOnExec(fd)
	return arm(os.NewFile(uintptr(fd), path), timeout)
}

// arm closes f if that fails. A watchdog that refuses the timeout is disarmed: to open it
// has armed it, and nothing would feed it.
func arm(f *os.File, timeout time.Duration) (*Device, error) {
	d := &Device{file: f}
	err := d.arm(timeout)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s %w", f.Name(), err)
	}
	return d, nil
}

func (d *Device) arm(timeout time.Duration) error {
	info, err := unix.IoctlGetWatchdogInfo(d.FD())
	if err != nil {
		return fmt.Errorf("is no watchdog: %w", err)
	}
	d.about.Identity = string(bytes.TrimRight(info.Identity[:], "\x00"))
	d.about.NoWayOut = noWayOut(d.FD())
	if d.about.Timeout, err = d.setTimeout(info.Options, timeout); err != nil {
		_, _ = d.file.WriteString("V")
		return fmt.Errorf("is not armed: %w", err)
	}
	return d.Feed()
}

// setTimeout returns the timeout that the device really has.
func (d *Device) setTimeout(options uint32, wanted time.Duration) (time.Duration, error) {
	seconds := int32((wanted + time.Second - 1) / time.Second)
	if options&unix.WDIOF_SETTIMEOUT == 0 {
		n, err := unix.IoctlGetInt(d.FD(), unix.WDIOC_GETTIMEOUT)
		if err != nil {
			return 0, fmt.Errorf("ask for the timeout, which cannot be set: %w", err)
		}
		return time.Duration(n) * time.Second, nil
	}
	// The kernel writes back what the device has made of it.
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, d.file.Fd(), unix.WDIOC_SETTIMEOUT, uintptr(unsafe.Pointer(&seconds))); errno != 0 {
		return 0, fmt.Errorf("set a timeout of %d s: %w", seconds, errno)
	}
	return time.Duration(seconds) * time.Second, nil
}

// noWayOut asks sysfs whether an open watchdog cannot be disarmed. Without sysfs
// (CONFIG_WATCHDOG_SYSFS) nobody tells. /dev/watchdog, of the misc devices, is the
// watchdog of number 0 (drivers/watchdog/watchdog_dev.c).
func noWayOut(fd int) bool {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false
	}
	const misc, watchdog = 10, 130 // MISC_MAJOR, WATCHDOG_MINOR
	dir := fmt.Sprintf("/sys/dev/char/%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	if unix.Major(st.Rdev) == misc && unix.Minor(st.Rdev) == watchdog {
		dir = "/sys/class/watchdog/watchdog0"
	}
	b, err := os.ReadFile(dir + "/nowayout")
	return err == nil && strings.TrimSpace(string(b)) == "1"
}

// About returns what is known of the device.
func (d *Device) About() About { return d.about }

// Feed gives the watchdog another timeout.
func (d *Device) Feed() error {
	if err := unix.IoctlWatchdogKeepalive(d.FD()); err != nil {
		return fmt.Errorf("is not fed: %w", err)
	}
	return nil
}

// FD returns the descriptor, for Adopt.
func (d *Device) FD() int { return int(d.file.Fd()) }

// HandOn has a binary that replaces this one inherit the descriptor. Until Keep, nothing
// else may be started.
func (d *Device) HandOn() error {
	_, err := unix.FcntlInt(d.file.Fd(), unix.F_SETFD, 0)
	return err
}

// Keep undoes HandOn.
func (d *Device) Keep() { unix.CloseOnExec(d.FD()) }

// Leave closes the watchdog armed: whoever opens it within its timeout goes on with it.
func (d *Device) Leave() error { return d.file.Close() }

// ErrNoWayOut means that a closed watchdog is still armed.
var ErrNoWayOut = errors.New("the kernel does not allow it (nowayout): the machine is reset unless something feeds it again")

// Disarm stops the watchdog, by a magic close. It is an error if that is not possible:
// the machine is reset when the timeout has passed.
func (d *Device) Disarm() error {
	_, err := d.file.WriteString("V")
	if err = errors.Join(err, d.file.Close()); err != nil {
		return err
	}
	if d.about.NoWayOut {
		return ErrNoWayOut
	}
	return nil
}
