package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrInUse is wrapped by Listen when a running daemon answers on the socket.
var ErrInUse = errors.New("a running daemon uses the socket")

// A Listener is a unix socket that removes its file when it is closed, unless
// another process has replaced the file.
type Listener struct {
	*net.UnixListener
	path string
	file os.FileInfo
}

// Listen makes the socket at path with mode 0660 and, if it is missing, its
// directory with mode 0755. It replaces the socket of a daemon that does not run
// any more. If a daemon listens on it, the error wraps ErrInUse.
//
// Listen changes the umask of the process for a moment. Files that other goroutines
// make in that moment get fewer permissions, never more.
func Listen(path string) (*Listener, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of the control socket: %w", err)
	}
	// The lock keeps two daemons that start together from taking each other's new
	// socket for a stale one.
	lock, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open the directory of the control socket: %w", err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	umask := unix.Umask(0o117)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	unix.Umask(umask)
	if err != nil {
		return nil, fmt.Errorf("listen on the control socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	file, err := os.Lstat(path)
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("look at the control socket: %w", err)
	}
	return &Listener{UnixListener: l, path: path, file: file}, nil
}

// removeStale removes the socket of a daemon that does not run any more.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at the control socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is not a socket, so the control socket cannot be made there", path)
	}
	// The kernel refuses the connection only if no process has the socket open.
	// After any other result a daemon may be running.
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w %s", ErrInUse, path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the control socket that was left behind: %w", err)
	}
	return nil
}

// Close closes the socket and removes its file.
func (l *Listener) Close() error {
	if l.isOurs() {
		os.Remove(l.path)
	}
	return l.UnixListener.Close()
}

// Permit sets the group and the mode of the socket; gid -1 leaves the group. After an
// error only root and the owner can use the socket.
func (l *Listener) Permit(gid int, mode os.FileMode) error {
	if !l.isOurs() {
		return fmt.Errorf("%s was replaced by somebody else's", l.path)
	}
	if err := os.Lchown(l.path, -1, gid); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("the daemon is not a member of it (SupplementaryGroups= in its unit): %w", err)
		}
		return errors.Join(fmt.Errorf("set the group of the control socket: %w", err), os.Chmod(l.path, 0o600))
	}
	if err := os.Chmod(l.path, mode); err != nil {
		return fmt.Errorf("set the mode of the control socket: %w", err)
	}
	return nil
}

// isOurs reports whether the file at the path is still this socket. It compares the
// time too, because inode numbers are reused.
func (l *Listener) isOurs() bool {
	info, err := os.Lstat(l.path)
	return err == nil && os.SameFile(info, l.file) && info.ModTime().Equal(l.file.ModTime())
}
