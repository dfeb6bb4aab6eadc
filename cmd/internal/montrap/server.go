package montrap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// logPause is the pause between two lines of the log about traps that were refused.
const logPause = 10 * time.Second

// A Taker takes a trap that was let in. It says why there is nobody for it.
type Taker func(from netip.Addr, t *Trap) error

// Counts are what became of traps since the start of a Server.
type Counts struct {
	Taken    uint64
	Refused  map[string]uint64 // by reason; each of Reasons is there
	Last     string            // why the latest was refused, and from where; "": none was
	LastSeen time.Time         // the latest trap that was taken
}

// The reasons of Counts.Refused.
const (
	ReasonSender    = "sender"    // no sender has the address
	ReasonUser      = "user"      // nor the user
	ReasonPassword  = "password"  // it is wrong, or too long
	ReasonMalformed = "malformed" // it is no trap of mon
	ReasonService   = "service"   // no service takes it
	ReasonRate      = "rate"      // too many came in a second, or needed a hash
)

// Reasons are all reasons.
var Reasons = []string{ReasonSender, ReasonUser, ReasonPassword, ReasonMalformed, ReasonService, ReasonRate}

// A Server receives traps at one address.
type Server struct {
	conn *net.UDPConn
	take Taker
	log  *slog.Logger

	// mu guards what other goroutines ask for or set. It is not held while a hash is
	// computed, so that they do not wait for what comes over the network.
	mu     sync.Mutex
	gate   *gate
	counts Counts

	logged time.Time
	meter  meter
}

// Listen opens a UDP port. The address need not be one of this host yet.
func Listen(at netip.AddrPort, senders []Sender, take Taker, log *slog.Logger) (*Server, error) {
	free := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if outer := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1) }); outer != nil {
			return outer
		}
		return err
	}}
	conn, err := free.ListenPacket(context.Background(), "udp", at.String())
	if err != nil {
		return nil, err
	}
	return newServer(conn.(*net.UDPConn), senders, take, log), nil
}

func newServer(conn *net.UDPConn, senders []Sender, take Taker, log *slog.Logger) *Server {
	return &Server{conn: conn, take: take, log: log, gate: newGate(senders), counts: Counts{Refused: map[string]uint64{}}}
}

// Serve receives until Close or Pause.
func (s *Server) Serve() error {
	buffer := make([]byte, MaxSize+1)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buffer)
		switch {
		case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return fmt.Errorf("receive traps: %w", err)
		}
		s.receive(buffer[:n], from.Addr().Unmap(), time.Now())
	}
}

// Close ends Serve.
func (s *Server) Close() { _ = s.conn.Close() }

// SetSenders replaces the senders.
func (s *Server) SetSenders(all []Sender) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = newGate(all)
}

// Counts returns what became of traps so far.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	c.Refused = make(map[string]uint64, len(Reasons))
	for _, reason := range Reasons {
		c.Refused[reason] = s.counts.Refused[reason]
	}
	return c
}

// receive takes one packet.
func (s *Server) receive(packet []byte, from netip.Addr, now time.Time) {
	s.mu.Lock()
	g := s.gate
	s.mu.Unlock()
	reason, err := s.process(g, packet, from.WithZone(""), now)
	s.count(reason, from, err, now)
	// A flood of traps that are refused makes few lines in the log.
	if err != nil && now.Sub(s.logged) >= logPause {
		s.logged = now
		s.log.Warn("a trap of mon was refused", "from", from, "reason", reason, "err", err)
	}
}

func (s *Server) process(g *gate, packet []byte, from netip.Addr, now time.Time) (reason string, err error) {
	if !g.knows(from) {
		return ReasonSender, errSender
	}
	if !s.meter.trap(from, now) {
		return ReasonRate, errTraps
	}
	trap, err := Parse(packet)
	if err != nil {
		return ReasonMalformed, err
	}
	err = g.admit(from, trap, func() bool { return s.meter.hash(from) })
	switch {
	case errors.Is(err, errHashes):
		return ReasonRate, err
	case errors.Is(err, errPassword), errors.Is(err, errLong):
		return ReasonPassword, fmt.Errorf("user %q: %w", trap.User, err)
	case err != nil:
		return ReasonUser, fmt.Errorf("user %q: %w", trap.User, err)
	}
	if err := s.take(from, trap); err != nil {
		return ReasonService, err
	}
	return "", nil
}

// count counts a trap that was taken, or refused with an error.
func (s *Server) count(reason string, from netip.Addr, err error, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.counts.Refused[reason]++
		s.counts.Last = fmt.Sprintf("%v: %v", from, err)
		return
	}
	s.counts.Taken++
	s.counts.LastSeen = now
}
