package bfd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// The ports that packets are sent to (RFC 5881 §4, RFC 5883 §5), and those that
// they may come from.
const (
	singlePort    = 3784
	multihopPort  = 4784
	firstFromPort = 49152
	fromPorts     = 65536 - firstFromPort
)

const (
	// rxBuffer is how many bytes a socket may queue while the process is busy.
	rxBuffer = 1 << 20
	// class and priority are those of routing protocols: DSCP CS6, and the first
	// band of the default queueing discipline.
	class    = 0xc0
	priority = 7
)

// An rxKey says what a receive socket is for.
type rxKey struct {
	v6, multihop bool
	device       string // "": every interface outside of VRFs that has no socket of its own
}

func (c *Config) rxKey() rxKey { return rxKey{c.Neighbour.Is6(), c.Multihop, c.Interface} }

func (k rxKey) port() uint16 {
	if k.multihop {
		return multihopPort
	}
	return singlePort
}

func family(v6 bool) int {
	if v6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// An rxSocket is a receive socket.
type rxSocket struct {
	rxKey
	fd    int
	index int // of the device
}

// openRx opens a receive socket. Sockets on different devices share the port
// with others, the ones that are open; but never with another program, which
// would receive our packets.
func openRx(k rxKey, others []*rxSocket) (*rxSocket, error) {
	index, err := deviceIndex(k.device)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(family(k.v6), unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open a UDP socket: %w", err)
	}
	e := &rxSocket{rxKey: k, fd: fd, index: index}
	if err = e.prepare(); err == nil {
		err = e.bind(others)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("hear BFD at UDP port %d: %w", k.port(), err)
	}
	return e, nil
}

func (e *rxSocket) prepare() error {
	if e.device != "" {
		if err := unix.BindToDevice(e.fd, e.device); err != nil {
			return fmt.Errorf("bind to %s: %w", e.device, err)
		}
	}
	// Exceeding the system's limit needs CAP_NET_ADMIN in the first user namespace.
	if unix.SetsockoptInt(e.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, rxBuffer) != nil {
		_ = unix.SetsockoptInt(e.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, rxBuffer)
	}
	if !e.v6 {
		return setAll(e.fd, unix.IPPROTO_IP, unix.IP_RECVTTL, unix.IP_PKTINFO)
	}
	return setAll(e.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, unix.IPV6_RECVHOPLIMIT, unix.IPV6_RECVPKTINFO)
}

func setAll(fd, level int, options ...int) error {
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, level, o, 1); err != nil {
			return fmt.Errorf("set socket option %d: %w", o, err)
		}
	}
	return nil
}

func (e *rxSocket) bind(others []*rxSocket) error {
	var same []int
	for _, o := range others {
		if o.v6 == e.v6 && o.multihop == e.multihop {
			same = append(same, o.fd)
		}
	}
	share := func(yes int) {
		for _, fd := range same {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, yes)
		}
	}
	if len(same) > 0 {
		same = append(same, e.fd)
		share(1)
		defer share(0)
	}
	return unix.Bind(e.fd, sockaddr(netip.Addr{}, e.v6, 0, e.port()))
}

// sockaddr returns an address for the kernel; the zero Addr is any.
func sockaddr(a netip.Addr, v6 bool, zone int, port uint16) unix.Sockaddr {
	if v6 {
		s := &unix.SockaddrInet6{Port: int(port)}
		if a.IsValid() {
			s.Addr = a.As16()
			if a.IsLinkLocalUnicast() {
				s.ZoneId = uint32(zone)
			}
		}
		return s
	}
	s := &unix.SockaddrInet4{Port: int(port)}
	if a.IsValid() {
		s.Addr = a.As4()
	}
	return s
}

// deviceIndex returns the index of an interface; that of "" is 0.
func deviceIndex(name string) (int, error) {
	if name == "" {
		return 0, nil
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("look for interface %s: %w", name, err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request)
	}
	if errors.Is(err, unix.ENODEV) {
		return 0, fmt.Errorf("there is no interface %s", name)
	}
	if err != nil {
		return 0, fmt.Errorf("look for interface %s: %w", name, err)
	}
	return int(request.Uint32()), nil
}

// read reads a datagram into d, whose payload is then part of buf. It returns
// false if there is none.
func (e *rxSocket) read(buf, control []byte, d *Datagram) (ok bool) {
	for {
		n, cn, _, from, err := unix.Recvmsg(e.fd, buf, control, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return false
		}
		*d = Datagram{Interface: e.device, Multihop: e.multihop, Payload: buf[:n]}
		switch a := from.(type) {
		case *unix.SockaddrInet4:
			d.Source = netip.AddrFrom4(a.Addr)
		case *unix.SockaddrInet6:
			d.Source = netip.AddrFrom16(a.Addr)
		}
		d.readControl(control[:cn])
		return true
	}
}

// readControl reads the TTL and the destination address. What the kernel does
// not say stays zero; the packet is then refused.
func (d *Datagram) readControl(b []byte) {
	messages, err := unix.ParseSocketControlMessage(b)
	if err != nil {
		return
	}
	for _, m := range messages {
		at := [2]int32{m.Header.Level, m.Header.Type}
		switch {
		case at == [2]int32{unix.IPPROTO_IP, unix.IP_TTL} && len(m.Data) >= 4,
			at == [2]int32{unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT} && len(m.Data) >= 4:
			d.TTL = uint8(binary.NativeEndian.Uint32(m.Data))
		case at == [2]int32{unix.IPPROTO_IP, unix.IP_PKTINFO} && len(m.Data) >= unix.SizeofInet4Pktinfo:
			d.Destination = netip.AddrFrom4([4]byte(m.Data[8:12])) // struct in_pktinfo: index, spec_dst, addr
		case at == [2]int32{unix.IPPROTO_IPV6, unix.IPV6_PKTINFO} && len(m.Data) >= unix.SizeofInet6Pktinfo:
			d.Destination = netip.AddrFrom16([16]byte(m.Data[:16]))
		}
	}
}

// A txSocket sends one session's packets. All of them come from one port,
// which no other session uses (RFC 5881 §4).
type txSocket struct {
	fd    int
	port  uint16
	to    unix.Sockaddr
	index int // of the session's interface
}

// openTx opens a transmit socket. wish is the port that the session had
// before, or 0.
func openTx(c *Config, wish uint16, random func() uint32) (*txSocket, error) {
	index, err := deviceIndex(c.Interface)
	if err != nil {
		return nil, err
	}
	v6 := c.Neighbour.Is6()
	fd, err := unix.Socket(family(v6), unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open a UDP socket: %w", err)
	}
	v := &txSocket{fd: fd, index: index, to: sockaddr(c.Neighbour, v6, index, c.rxKey().port())}
	if err = v.prepare(c); err == nil {
		err = v.bind(c, wish, random)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return v, nil
}

func (v *txSocket) prepare(c *Config) error {
	level, ttl, tos := unix.IPPROTO_IP, unix.IP_TTL, unix.IP_TOS
	if c.Neighbour.Is6() {
		level, ttl, tos = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, unix.IPV6_TCLASS
	}
	if err := unix.SetsockoptInt(v.fd, level, ttl, int(c.TTL)); err != nil {
		return fmt.Errorf("set the TTL: %w", err)
	}
	// Nothing is received on this port.
	_ = unix.SetsockoptInt(v.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 0)
	_ = unix.SetsockoptInt(v.fd, level, tos, class)
	_ = unix.SetsockoptInt(v.fd, unix.SOL_SOCKET, unix.SO_PRIORITY, priority)
	if c.Interface == "" {
		return nil
	}
	if err := unix.BindToDevice(v.fd, c.Interface); err != nil {
		return fmt.Errorf("bind to %s: %w", c.Interface, err)
	}
	return nil
}

// bind binds to the port in wish, or to a random one.
func (v *txSocket) bind(c *Config, wish uint16, random func() uint32) error {
	var err error
	for range 64 {
		v.port = wish
		if wish == 0 {
			v.port = uint16(firstFromPort + random()%fromPorts)
		}
		wish = 0
		err = unix.Bind(v.fd, sockaddr(c.Source, c.Neighbour.Is6(), v.index, v.port))
		if !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("there is no address %v here", c.Source)
	}
	return os.NewSyscallError("bind", err)
}

// send sends a packet.
func (v *txSocket) send(b []byte) error { return unix.Sendto(v.fd, b, 0, v.to) }
