package probe

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

// TCP asks whether the server accepts a connection.
type TCP struct{}

// Kind returns "tcp".
func (TCP) Kind() string { return "tcp" }

// Needs returns NeedsPort.
func (TCP) Needs() Needs { return NeedsPort }

// Validate returns nil.
func (TCP) Validate() FieldErrors { return nil }

func (TCP) prober(_ *Tools, to Target) Prober { return newTCPProber(to) }

// A tcpProber connects and ends the connection with a reset.
//
// An ordinary close leaves the connection in TIME_WAIT for a minute after each
// attempt, on the director or on the server. A reset leaves nothing behind.
// The prober also holds back the last ACK of the handshake. The server's kernel
// then drops the half-open connection: it does not wake its process, which has
// no "connection reset by peer" to log. A process that accepts no connections
// is found all the same: when its accept queue is full, its kernel does not
// answer a SYN.
type tcpProber struct{ dialer }

func newTCPProber(to Target) *tcpProber {
	return &tcpProber{newDialer(to, unix.SOCK_STREAM, holdBackACK, resetAtClose)}
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
	_ = conn.Close() // its error says nothing about the server
	return nil
}
