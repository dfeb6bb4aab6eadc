package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A peer is the process that opened a connection, as the kernel noted it then.
type peer struct {
	uid    uint32
	groups []uint32 // its group and its supplementary ones
}

// String returns "root" or "uid 1000".
func (p *peer) String() string {
	if p.uid == 0 {
		return "root"
	}
	return fmt.Sprintf("uid %d", p.uid)
}

// peerKey is the key of the *peer in the context of a request.
type peerKey struct{}

// withPeer stores in ctx the peer of a connection to a unix socket.
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
	var p *peer
	if err := raw.Control(func(fd uintptr) { p = peerOf(int(fd)) }); err != nil || p == nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, p)
}

// peerOf returns the peer of a socket, and nil if the kernel does not tell it
// (SO_PEERCRED in unix(7), SO_PEERGROUPS in net/core/sock.c).
func peerOf(fd int) *peer {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return nil
	}
	p := &peer{uid: cred.Uid, groups: []uint32{cred.Gid}}
	// NGROUPS_MAX of Linux is 65536; most processes have a few.
	for n := 64; n <= 65536; n *= 4 {
		groups := make([]uint32, n)
		size := uint32(4 * n)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		if errno == unix.ERANGE {
			continue
		}
		if errno == 0 {
			p.groups = append(p.groups, groups[:size/4]...)
		}
		break
	}
	return p
}

// SocketDoor is the door of the control socket. Root and the daemon's own user may
// change something, and who is in the group that writers returns.
func SocketDoor(writers func() (gid uint32, ok bool)) Door {
	self := os.Geteuid()
	return Door{
		Name: "the control socket", API: true, Metrics: true, Page: true,
		Writer: func(r *http.Request) (string, error) {
			p, _ := r.Context().Value(peerKey{}).(*peer)
			gid, ok := writers()
			if !p.mayWrite(self, gid, ok) {
				return "", errNotWriter
			}
			return p.String(), nil
		},
	}
}

var errNotWriter = errors.New("only root and the members of write_group (see [director.socket]) may do that")

// OnlyRoot is for SocketDoor: no group may change anything.
func OnlyRoot() (gid uint32, ok bool) { return 0, false }

// mayWrite reports whether a peer is root, the daemon's own user, or in the group of
// writers, if there is one. A peer that is not known may not change anything.
func (p *peer) mayWrite(self int, writers uint32, any bool) bool {
	return p != nil && (p.uid == 0 || int64(p.uid) == int64(self) || any && slices.Contains(p.groups, writers))
}
