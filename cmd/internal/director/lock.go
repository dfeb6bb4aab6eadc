package director

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A lockedDir is what a director has for itself: its runtime directory, and its
// network namespace. The kernel frees both when the process ends, however it ends,
// and at an upgrade, after which the new binary locks them anew.
type lockedDir struct {
	dir       *os.File
	namespace *net.UnixListener // nil: it could not be had, and no director has it
}

// lockRuntimeDir makes sure that this is the only director in its runtime directory
// and in its network namespace.
func lockRuntimeDir(dir string, log *slog.Logger) (*lockedDir, error) {
	file, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	namespace, err := lockNamespace(log)
	if err != nil {
		file.Close()
		return nil, err
	}
	return &lockedDir{file, namespace}, nil
}

// unlock gives both back. It may be called on nil.
func (p *lockedDir) unlock() error {
	if p == nil {
		return nil
	}
	if p.namespace != nil {
		_ = p.namespace.Close() // nothing was written
	}
	return p.dir.Close()
}

// lockDir makes the runtime directory and locks it: two directors in one would
// undo each other's changes. The kernel frees the lock when the process ends,
// however it ends.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the runtime directory: %w", err)
	}
	if err := checkRuntimeDir(dir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the runtime directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another holdfast is running with the runtime directory %s", dir)
	}
	return f, nil
}

// checkRuntimeDir says why the files in a runtime directory cannot be trusted: who
// can write there decides what is put back into the kernel. A directory that does
// not exist yet is well.
func checkRuntimeDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at the runtime directory: %w", err)
	case !info.IsDir():
		return fmt.Errorf("runtime directory %s is not a directory", dir)
	}
	st := info.Sys().(*syscall.Stat_t)
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("runtime directory %s belongs to user %d: it must belong to root, or to user %d who runs the daemon", dir, st.Uid, os.Geteuid())
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return fmt.Errorf("runtime directory %s can be written by others than its owner (mode %#o): chmod go-w %s", dir, perm, dir)
	}
	return nil
}

// namespaceName is an abstract socket address, which a network namespace has
// once (unix(7)).
const namespaceName = "@holdfast"

// lockNamespace takes the network namespace: of two directors in one, each would
// remove the other's devices as what a former run left, and put back sysctls
// that the other needs.
func lockNamespace(log *slog.Logger) (*net.UnixListener, error) {
	address := &net.UnixAddr{Name: namespaceName, Net: "unix"}
	for range 3 { // the holder may end meanwhile
		l, err := net.ListenUnix("unix", address)
		if err == nil {
			go answer(l)
			return l, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return nil, fmt.Errorf("lock the network namespace: %w", err)
		}
		holder, err := whoHolds(address)
		if err != nil {
			continue
		}
		if holder.Uid != 0 && int(holder.Uid) != os.Geteuid() && !mayChangeNetwork(int(holder.Pid)) {
			// Any process may take the name. One that may not change the network is no director.
			log.Warn("the network namespace is not locked against a second holdfast: somebody else has its name",
				"socket", namespaceName, "pid", holder.Pid, "uid", holder.Uid)
			return nil, nil
		}
		return nil, fmt.Errorf("another holdfast is running in this network namespace, as process %d: "+
			"one daemon runs all virtual routers of a namespace", holder.Pid)
	}
	log.Warn("the network namespace is not locked against a second holdfast: somebody who does not answer has its name",
		"socket", namespaceName)
	return nil, nil
}

// mayChangeNetwork reports whether a process has CAP_NET_ADMIN.
func mayChangeNetwork(pid int) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3, Pid: int32(pid)}
	var sets [2]unix.CapUserData
	err := unix.Capget(&header, &sets[0])
	return err == nil && sets[0].Effective&(1<<unix.CAP_NET_ADMIN) != 0
}

// answer accepts connections: who connects learns who holds the namespace.
func answer(l *net.UnixListener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // closed
		}
		_ = c.Close()
	}
}

// whoHolds returns the credentials of the process that listens at an address.
func whoHolds(address *net.UnixAddr) (*unix.Ucred, error) {
	dialer := net.Dialer{Timeout: time.Second}
	c, err := dialer.Dial("unix", address.Name)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	var who *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { who, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	return who, errors.Join(err, failed)
}
