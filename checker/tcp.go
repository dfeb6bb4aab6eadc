package checker

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

// A tcpProber asks whether a connection is accepted, and ends it with a reset.
//
// The reset leaves no TIME_WAIT behind, on the director or on the server, where
// a check that closes in the ordinary way leaves one per attempt for a minute.
// With the closing ACK of the handshake held back as well, the server's kernel
// drops the half-open connection: its process is never woken, and has no
// "connection reset by peer" to log. Whether the process still takes
// connections is seen all the same, because a kernel whose accept queue is full
// does not answer a SYN.
type tcpProber struct{ caller }

func newTCPProber(c *Config) *tcpProber {
	return &tcpProber{newCaller(c, unix.SOCK_STREAM, holdBackACK, resetAtClose)}
}

// holdBackACK makes the socket delay the ACK of the server's SYN-ACK
// (tcp_rcv_synsent_state_process in net/ipv4/tcp_input.c).
func holdBackACK(fd int) error {
	return os.NewSyscallError("clear TCP_QUICKACK", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0))
}

func resetAtClose(fd int) error {
	return os.NewSyscallError("set SO_LINGER", unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
}

// Probe implements Prober.
func (p *tcpProber) Probe(ctx context.Context) error {
	conn, err := p.dial(ctx)
	if err != nil {
		return err
	}
	_ = conn.Close() // says nothing of the server
	return nil
}
