package netdev

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// A Packet is a VRRP message as it came.
type Packet struct {
	IfIndex     int
	Source      netip.Addr // without zone
	Destination netip.Addr
	HopLimit    uint8  // TTL or hop limit
	Payload     []byte // from the VRRP header on
	// Datagram is the whole packet if an IP authentication header stands before
	// Payload, and nil otherwise.
	Datagram []byte
}

// A Frame is what leaves through an interface: a whole Ethernet frame or, if
// it is Routed, an IP packet with its header, for which the kernel is to find
// the Ethernet address.
type Frame struct {
	IfIndex int
	Bytes   []byte
	Routed  bool
}

// Listen names an interface and what to hear on it.
type Listen struct {
	Name  string
	Index int
	// IPv4 and IPv6 are the families to hear.
	IPv4, IPv6 bool
	// Groups are the multicast groups to join; without one of a family that is
	// heard it is 224.0.0.18 or ff02::12.
	Groups []netip.Addr
	// Unicast prepares for Routed frames. Unicast packets are heard anyway.
	Unicast bool
	// AH hears messages behind an IP authentication header too (IPv4 only).
	AH bool
}

// PortStats counts what a Port did.
type PortStats struct {
	Received  uint64 // packets handed out
	Malformed uint64 // packets whose IP header was no use, or longer than any advert
	Sent      uint64 // frames
	Unsent    uint64 // frames that the kernel refused
}

// A Port hears and speaks VRRP on all interfaces that were opened.
//
// Each interface has a raw socket for protocol 112 per family, bound to it,
// and a packet socket for sending. All receive sockets are in one epoll set of
// its own, outside Go's poller, so that the one thread that calls Receive is
// woken directly and in one system call. Neither Receive nor Send allocates.
//
// One goroutine calls Receive and Send; it is best locked to its thread. Wake,
// Open, Close and Stats may be called from any goroutine.
type Port struct {
	epoll int
	wake  int // eventfd
	noNS  bool

	mu        sync.Mutex
	closed    bool
	waiting   bool           // a Receive is in epoll
	ears      map[int32]*ear // by file descriptor
	mouths    map[int]*mouth // by interface index
	stats     PortStats
	pending   []*mouth // of one Send
	batch     *batch
	events    []unix.EpollEvent
	wakeBytes [8]byte
}

// ErrClosed is returned by a Port after Shutdown.
var ErrClosed = errors.New("port is closed")

// NewPort returns a Port that is open on no interface.
func NewPort() (*Port, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll set: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(epoll)
		return nil, fmt.Errorf("create eventfd: %w", err)
	}
	p := &Port{
		epoll: epoll, wake: wake,
		ears: map[int32]*ear{}, mouths: map[int]*mouth{},
		batch: newBatch(), events: make([]unix.EpollEvent, 64),
	}
	if err := p.watch(wake); err != nil {
		unix.Close(epoll)
		unix.Close(wake)
		return nil, err
	}
	return p, nil
}

func (p *Port) watch(fd int) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("add socket to epoll set: %w", err)
	}
	return nil
}

// Open starts hearing and speaking on an interface. Opening what is open with
// the same index changes the families and groups that are heard; with another
// index (the interface was made anew) it replaces the sockets. After an error the
// interface is not open.
func (p *Port) Open(l Listen) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("open port on %s: %w", l.Name, ErrClosed)
	}
	for index, m := range p.mouths {
		if m.name == l.Name && index != l.Index {
			p.shut(index)
		}
	}
	if err := p.open(l); err != nil {
		p.shut(l.Index)
		return fmt.Errorf("open port on %s: %w", l.Name, err)
	}
	return nil
}

func (p *Port) open(l Listen) error {
	m := p.mouths[l.Index]
	if m == nil {
		var err error
		if m, err = openMouth(l); err != nil {
			return err
		}
		p.addMouth(m)
	}
	m.name = l.Name
	if err := m.openWays(l); err != nil {
		return err
	}
	for _, f := range []struct {
		want bool
		kind earKind
	}{{l.IPv4, ear4}, {l.IPv6, ear6}, {l.IPv4 && l.AH, earAH}} {
		have := p.ear(l.Index, f.kind)
		switch {
		case f.want && have == nil:
			e, err := openEar(l, f.kind)
			if err != nil {
				return err
			}
			p.ears[int32(e.fd)] = e
			if err := p.watch(e.fd); err != nil {
				return err
			}
		case f.want:
			if err := have.regroup(l.groups(f.kind)); err != nil {
				return err
			}
		case have != nil:
			p.deafen(have)
		}
	}
	return nil
}

func (p *Port) addMouth(m *mouth) {
	p.mouths[m.index] = m
	p.pending = make([]*mouth, 0, 3*len(p.mouths))
}

func (p *Port) ear(index int, kind earKind) *ear {
	for _, e := range p.ears {
		if e.index == index && e.kind == kind {
			return e
		}
	}
	return nil
}

func (p *Port) deafen(e *ear) {
	delete(p.ears, int32(e.fd))
	unix.Close(e.fd) // leaves the epoll set by itself
}

// Close ends hearing and speaking on an interface; one that is not open is no
// error.
func (p *Port) Close(index int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut(index)
}

func (p *Port) shut(index int) {
	for _, e := range p.ears {
		if e.index == index {
			p.deafen(e)
		}
	}
	if m := p.mouths[index]; m != nil {
		delete(p.mouths, index)
		m.close()
	}
}

// Wake makes the running or the next Receive return.
func (p *Port) Wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.ring()
	}
}

// ring writes to the eventfd. It fails only if the counter is full, and then
// the reader is woken anyway.
func (p *Port) ring() {
	one := [8]byte{1, 1, 1, 1}
	_, _ = unix.Write(p.wake, one[:])
}

// Stats returns the counts since NewPort.
func (p *Port) Stats() PortStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// Shutdown closes everything. A Receive that is under way, and every later
// one, returns ErrClosed.
func (p *Port) Shutdown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	for index := range p.mouths {
		p.shut(index)
	}
	if p.waiting {
		p.ring() // that Receive closes the rest
		return
	}
	p.finish()
}

func (p *Port) finish() {
	unix.Close(p.epoll)
	unix.Close(p.wake)
}
