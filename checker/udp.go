package checker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// datagrams are buffers for the largest answers that UDP can carry.
var datagrams = sync.Pool{New: func() any { return new([1 << 16]byte) }}

// A udpProber sends one datagram and waits for one. The socket is connected, so
// that the kernel tells of an ICMP error (nobody listens on the port).
type udpProber struct {
	caller
	want UDPConfig
}

func newUDPProber(c *Config) *udpProber {
	return &udpProber{newCaller(c, unix.SOCK_DGRAM), c.UDP}
}

// Probe implements Prober.
func (p *udpProber) Probe(ctx context.Context) error {
	conn, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(p.want.Payload); err != nil {
		return p.failed("request", err)
	}
	buf := datagrams.Get().(*[1 << 16]byte)
	defer datagrams.Put(buf)
	n, err := receive(conn, buf[:])
	switch {
	case err != nil && p.want.Silence && errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case err != nil:
		return p.failed("answer", err)
	case p.want.Reply != nil && !p.want.Reply.Match(buf[:n]):
		return fmt.Errorf("answer %s does not match %q", excerpt(buf[:n]), p.want.Reply)
	}
	return nil
}

// receive reads a datagram. An empty one is no end of file.
func receive(conn *socket, buf []byte) (int, error) {
	n, err := conn.Read(buf)
	if errors.Is(err, io.EOF) {
		return 0, nil
	}
	return n, err
}
