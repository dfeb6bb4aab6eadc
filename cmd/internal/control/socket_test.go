package control

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/integration/tools"
)

func TestListen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run", "control.sock")
	first, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, want 0660", info.Mode())
	}
	if _, err := Listen(path); !errors.Is(err, ErrInUse) || err.Error() != "a running daemon uses the socket "+path {
		t.Errorf("a second daemon: %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the second daemon took the socket of the first away: %v", err)
	}

	// The first dies without a chance to clean up.
	first.UnixListener.Close()
	second, err := Listen(path)
	if err != nil {
		t.Fatalf("with a stale socket: %v", err)
	}
	first.Close() // late, and no longer its own
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the first daemon took the socket of the second away: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || err.Error() != path+" is not a socket, so the control socket cannot be made there" {
		t.Errorf("a file in the way: %v", err)
	}
	if umask := unix.Umask(0o022); umask == 0o117 {
		t.Errorf("the umask stayed changed: %04o", umask)
	} else {
		unix.Umask(umask)
	}
}

// A group that the daemon may not give the socket to leaves it to root and the owner, even
// if another group had it before.
func TestPermitRefused(t *testing.T) {
	tools.Root(t, "give a file to any group")
	l, err := Listen(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Permit(4711, 0o660); err != nil {
		t.Fatal(err)
	}
	// The right is taken from this thread, which ends with the goroutine.
	refused := make(chan error)
	go func() {
		runtime.LockOSThread()
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		err := unix.Capget(&header, &data[0])
		data[0].Effective &^= 1 << unix.CAP_CHOWN
		refused <- errors.Join(err, unix.Capset(&header, &data[0]), l.Permit(4712, 0o666))
	}()
	if err := <-refused; err == nil || !strings.Contains(err.Error(), "the daemon is not a member of it") {
		t.Errorf("a group that the daemon is not in: %v", err)
	}
	if info, err := os.Lstat(l.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600 (%v)", info.Mode(), err)
	}
}
