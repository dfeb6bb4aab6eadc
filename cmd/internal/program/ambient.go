package program

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// ambient are the capabilities that this process was started with as ambient ones.
var ambient []int

// KeepCapabilities keeps the ambient capabilities of this process from the programs that
// it starts (capabilities(7)). A daemon that is not root has its capabilities that way
// (AmbientCapabilities= of systemd), and without this every script would have them too.
// It must be called before the first program is started.
func KeepCapabilities() error {
	ambient = ambientSet()
	if len(ambient) == 0 {
		return nil
	}
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("keep capabilities from scripts: %w", errno)
	}
	return nil
}

// PassCapabilities has the next program that the calling thread executes keep the
// capabilities that KeepCapabilities keeps from others. The caller must be locked to its
// thread.
func PassCapabilities() error {
	var errs []error
	for _, c := range ambient {
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(c), 0, 0); err != nil {
			errs = append(errs, fmt.Errorf("keep capability %d: %w", c, err))
		}
	}
	return errors.Join(errs...)
}

// ambientSet returns the ambient capabilities of the calling thread.
func ambientSet() (set []int) {
	for c := 0; c <= unix.CAP_LAST_CAP; c++ {
		is, err := unix.PrctlRetInt(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET, uintptr(c), 0, 0)
		if err == nil && is == 1 {
			set = append(set, c)
		}
	}
	return set
}
