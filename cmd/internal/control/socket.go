package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
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
	// Compare the time too, because inode numbers are reused.
	if info, err := os.Lstat(l.path); err == nil && os.SameFile(info, l.file) && info.ModTime().Equal(l.file.ModTime()) {
		os.Remove(l.path)
	}
	return l.UnixListener.Close()
}

type peerKey struct{}

// withPeer stores in ctx the user id of the process that connected conn
// (SO_PEERCRED in unix(7)).
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	if b, ok := conn.(*boundedConn); ok {
		conn = b.Conn
	}
	c, ok := conn.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return ctx
	}
	var cred *unix.Ucred
	if err := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil || cred == nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, cred.Uid)
}

// SocketDoor is the door of the control socket.
func SocketDoor() Door {
	self := os.Geteuid()
	return Door{
		Name: "the control socket", API: true, Metrics: true, Page: true,
		Writer: func(r *http.Request) (string, error) {
			if !mayWrite(r.Context(), self) {
				return "", errors.New("only root may do that")
			}
			return peerName(r.Context()), nil
		},
	}
}

// mayWrite reports whether the client of a request is root or the daemon's own
// user. A client with an unknown user id may not change anything.
func mayWrite(ctx context.Context, self int) bool {
	uid, ok := ctx.Value(peerKey{}).(uint32)
	return ok && (uid == 0 || int64(uid) == int64(self))
}

// peerName returns who connected: "root" or "uid 1000".
func peerName(ctx context.Context) string {
	uid, ok := ctx.Value(peerKey{}).(uint32)
	switch {
	case !ok:
		return "somebody"
	case uid == 0:
		return "root"
	}
	return fmt.Sprintf("uid %d", uid)
}
