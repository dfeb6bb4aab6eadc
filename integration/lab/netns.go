package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// newNamespace makes a network namespace that lives until it is closed and
// its last process has gone.
func newNamespace() (netns.NsHandle, error) {
	ns := netns.None()
	err := onThread(func() error {
		var err error
		ns, err = netns.New()
		return err
	})
	if err != nil {
		return netns.None(), fmt.Errorf("make a network namespace: %w", err)
	}
	return ns, nil
}

// onThread runs f, which may move its thread to another network namespace,
// and brings the thread back. A thread that cannot come back stays locked and
// so dies with its goroutine.
func onThread(f func() error) error {
	runtime.LockOSThread()
	origin, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("open the thread's network namespace: %w", err)
	}
	defer func() {
		if netns.Set(origin) == nil {
			runtime.UnlockOSThread()
		}
		_ = origin.Close()
	}()
	return f()
}

// inside runs f on a thread in the namespace. Sockets that f opens stay in it.
func inside(ns netns.NsHandle, f func() error) error {
	return onThread(func() error {
		if err := netns.Set(ns); err != nil {
			return fmt.Errorf("enter the network namespace: %w", err)
		}
		return f()
	})
}

// A start is a wish to start a program in a namespace.
type start struct {
	cmd   *exec.Cmd
	ns    netns.NsHandle
	reply chan error
}

// starts leads to the one thread that starts programs. The kernel kills our
// children when the thread that started them ends (Pdeathsig), so it must be a
// thread that never ends before the process does.
var starts = sync.OnceValue(func() chan<- start {
	wishes := make(chan start)
	go func() {
		runtime.LockOSThread()
		for wish := range wishes {
			wish.reply <- inside(wish.ns, wish.cmd.Start)
		}
	}()
	return wishes
})

func startInside(ns netns.NsHandle, cmd *exec.Cmd) error {
	reply := make(chan error, 1)
	starts() <- start{cmd: cmd, ns: ns, reply: reply}
	return <-reply
}

// processesInside lists the processes whose network namespace it is, ourselves
// excepted.
func processesInside(ns netns.NsHandle) ([]int, error) {
	var want unix.Stat_t
	if err := unix.Fstat(int(ns), &want); err != nil {
		return nil, fmt.Errorf("identify the network namespace: %w", err)
	}
	entries, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, entry := range entries {
		var got unix.Stat_t
		// A process that has just ended is none of ours.
		if unix.Stat(entry, &got) != nil || got.Ino != want.Ino || got.Dev != want.Dev {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(entry))))
		if err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
