package director

import (
	"bytes"
	"os"
	"time"
)

const (
	// stuckLimit is how long an upgrade waits for threads that the kernel holds.
	stuckLimit = 300 * time.Millisecond
	stuckPause = 500 * time.Microsecond
)

// awaitStuck waits until the kernel holds no thread of ours, in a lock or for a disk: an
// exec ends all threads but one, first the one that sends adverts, and then waits for
// those. Whoever asks for devices while another program changes many of them waits for
// the lock of route netlink, which no signal interrupts (rtnl_lock). It returns how long
// it has waited.
func awaitStuck() time.Duration {
	start := time.Now()
	for time.Since(start) < stuckLimit && anyStuck() {
		time.Sleep(stuckPause)
	}
	return time.Since(start)
}

// anyStuck reports whether a thread is in an uninterruptible wait.
func anyStuck() (stuck bool) {
	eachThread(func(id int) {
		if !stuck {
			b, err := os.ReadFile(threadFile(id, "stat"))
			stuck = err == nil && isStuck(b)
		}
	})
	return stuck
}

// isStuck reports whether that is so by the thread's file stat: the state follows the
// name, which may contain anything.
func isStuck(stat []byte) bool {
	_, rest, ok := bytes.Cut(stat[max(bytes.LastIndexByte(stat, ')'), 0):], []byte(") "))
	return ok && bytes.HasPrefix(rest, []byte("D"))
}
