package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// pingSockets are the raw sockets that ping checks share: one for each family
// and Dial. The first attempt that needs a socket opens it, and the end of the
// last check that uses it closes it.
type pingSockets struct {
	mu   sync.Mutex
	open map[pingKey]*pingSocket
}

type pingKey struct {
	v6   bool
	dial Dial
}

// A pingSocket sends echo requests and hands each reply to the attempt that
// waits for it. Its goroutine lives as long as the socket is open.
type pingSocket struct {
	key   pingKey
	users int // guarded by pingSockets.mu
	id    uint16

	mu      sync.Mutex
	conn    net.PacketConn // nil until it is needed
	closed  bool
	reader  sync.WaitGroup
	seq     uint16
	waiting map[uint16]*echo
}

// An echo is a request that waits for its reply.
type echo struct {
	to     netip.Addr
	size   int    // of the data
	cookie uint64 // in the data of the request: a reply to another request has another
	done   chan struct{}
}

func (s *pingSockets) prober(t Target, size int) *pingProber {
	to := t.Address.Addr().Unmap()
	key := pingKey{to.Is6(), t.Dial}
	s.mu.Lock()
	defer s.mu.Unlock()
	sock := s.open[key]
	if sock == nil {
		sock = &pingSocket{key: key, id: uint16(rand.Uint32()), waiting: make(map[uint16]*echo)}
		if s.open == nil {
			s.open = make(map[pingKey]*pingSocket)
		}
		s.open[key] = sock
	}
	sock.users++
	words := dialer{source: t.Dial.Source, timeout: t.Timeout}
	return &pingProber{dialer: words, sockets: s, socket: sock, to: to, size: size}
}

func (s *pingSockets) release(sock *pingSocket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sock.users--; sock.users == 0 {
		delete(s.open, sock.key)
		sock.close()
	}
}

func (s *pingSocket) send(e *echo) (seq uint16, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.start(); err != nil {
		return 0, err
	}
	for s.seq++; s.waiting[s.seq] != nil; s.seq++ {
		if len(s.waiting) > 1<<16-1 {
			return 0, errors.New("too many requests wait for their reply")
		}
	}
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{
		ID: int(s.id), Seq: int(s.seq), Data: e.data(),
	}}
	if s.key.v6 {
		m.Type = ipv6.ICMPTypeEchoRequest
	}
	packet, err := m.Marshal(nil) // the kernel fills in the checksum of ICMPv6 (RFC 3542 §3.1)
	if err != nil {
		return 0, err
	}
	// A raw socket waits only for room in its buffer. The reply is looked up
	// under the same lock, so it cannot come too early.
	if _, err := s.conn.WriteTo(packet, &net.IPAddr{IP: e.to.AsSlice(), Zone: e.to.Zone()}); err != nil {
		return 0, err
	}
	s.waiting[s.seq] = e
	return s.seq, nil
}

// data returns the data of the request.
func (e *echo) data() []byte {
	data := make([]byte, e.size)
	binary.BigEndian.PutUint64(data, e.cookie)
	return data
}

func (s *pingSocket) forget(seq uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, seq)
}

// start opens the socket if it is not open.
func (s *pingSocket) start() error {
	if s.closed {
		return net.ErrClosed
	}
	if s.conn != nil {
		return nil
	}
	network, source := "ip4:icmp", netip.IPv4Unspecified()
	if s.key.v6 {
		network, source = "ip6:ipv6-icmp", netip.IPv6Unspecified()
	}
	if s.key.dial.Source.IsValid() {
		source = s.key.dial.Source
	}
	listen := net.ListenConfig{Control: control(s.key.dial.options())}
	conn, err := listen.ListenPacket(context.Background(), network, source.String())
	if err != nil {
		return err
	}
	if err := repliesOnly(conn, s.key.v6); err != nil {
		conn.Close()
		return fmt.Errorf("set ICMP filter: %w", err)
	}
	s.conn = conn
	s.reader.Go(func() { s.receive(conn) })
	return nil
}

func (s *pingSocket) close() {
	s.mu.Lock()
	s.closed = true
	if s.conn != nil {
		s.conn.Close()
	}
	s.mu.Unlock()
	s.reader.Wait()
}

// receive reads replies until the socket fails or is closed. After a failure the
// next request opens a new socket.
func (s *pingSocket) receive(conn net.PacketConn) {
	buf := make([]byte, 1<<16) // the largest packet
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			conn.Close()
			s.conn = nil
			return
		}
		if addr, ok := netip.AddrFromSlice(from.(*net.IPAddr).IP); ok {
			s.replied(addr.Unmap(), buf[:n])
		}
	}
}

// replied wakes the attempt that waits for the reply in packet, if it is one.
func (s *pingSocket) replied(from netip.Addr, packet []byte) {
	protocol := 1 // of ICMP; 58 is ICMPv6
	if s.key.v6 {
		protocol = 58
	}
	m, err := icmp.ParseMessage(protocol, packet)
	if err != nil || m.Type != ipv4.ICMPTypeEchoReply && m.Type != ipv6.ICMPTypeEchoReply {
		return
	}
	reply, ok := m.Body.(*icmp.Echo)
	if !ok || reply.ID != int(s.id) || len(reply.Data) < minPing {
		return
	}
	seq := uint16(reply.Seq)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.waiting[seq]
	if e == nil || e.to.WithZone("") != from || e.cookie != binary.BigEndian.Uint64(reply.Data) || len(reply.Data) != e.size {
		return
	}
	delete(s.waiting, seq)
	close(e.done)
}

// control returns the function that package net calls before it binds a socket.
func control(options []socketOption) func(string, string, syscall.RawConn) error {
	return func(_, _ string, conn syscall.RawConn) error {
		var failed error
		err := conn.Control(func(fd uintptr) {
			for _, set := range options {
				if failed = set(int(fd)); failed != nil {
					return
				}
			}
		})
		return errors.Join(err, failed)
	}
}

// repliesOnly filters out all other ICMP packets, of which the kernel would
// give this socket a copy.
func repliesOnly(conn net.PacketConn, v6 bool) error {
	if v6 {
		var f ipv6.ICMPFilter
		f.SetAll(true)
		f.Accept(ipv6.ICMPTypeEchoReply)
		return ipv6.NewPacketConn(conn).SetICMPFilter(&f)
	}
	var f ipv4.ICMPFilter
	f.SetAll(true)
	f.Accept(ipv4.ICMPTypeEchoReply)
	return ipv4.NewPacketConn(conn).SetICMPFilter(&f)
}
