package control

import (
	"context"
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
var ErrInUse = errors.New("a running daemon has the socket")

// A Listener is a unix socket that takes its file away when it is closed,
// unless the file is somebody else's by then.
type Listener struct {
	*net.UnixListener
	path string
	file os.FileInfo
}

// Listen makes the socket at path with mode 0660, and the directory, with mode
// 0755, if it is missing. A socket on which nobody answers is replaced; one on
// which somebody does is an error that wraps ErrInUse.
//
// For a moment Listen changes the umask, which the whole process shares: other
// files made in it come out with fewer rights, never with more.
func Listen(path string) (*Listener, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of the control socket: %w", err)
	}
	// Two daemons that start together must not take each other's new socket for
	// a stale one.
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

// removeStale removes the socket that a daemon left which is no more.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at the control socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is in the way of the control socket and is no socket", path)
	}
	// The kernel refuses the connection only if nobody holds the socket; every
	// other answer means that somebody may.
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
	// An inode number alone may be that of a former file.
	if info, err := os.Lstat(l.path); err == nil && os.SameFile(info, l.file) && info.ModTime().Equal(l.file.ModTime()) {
		os.Remove(l.path)
	}
	return l.UnixListener.Close()
}

type peerKey struct{}

// withPeer keeps in ctx who is at the other end of conn: their user id, as the
// kernel knows it from the time of the connection.
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

// mayWrite tells whether the peer of a request may change something: root and
// the daemon's own user may. Who is unknown may not.
func mayWrite(ctx context.Context, self int) bool {
	uid, ok := ctx.Value(peerKey{}).(uint32)
	return ok && (uid == 0 || int64(uid) == int64(self))
}
