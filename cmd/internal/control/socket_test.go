package control

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
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
