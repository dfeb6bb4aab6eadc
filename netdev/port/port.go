package port

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"holdfast/netdev/frame"

	"golang.org/x/sys/unix"
)

// A Packet is a received VRRP message and the interface that it came in on.
type Packet struct {
	IfIndex int
	frame.Packet
}

// A Frame is what Send sends through an interface: a whole Ethernet frame or, if
// Routed is set, an IP packet with its header. The kernel looks up the Ethernet
// address for a routed packet.
type Frame struct {
	IfIndex int
	Bytes   []byte
	Routed  bool
}

// Listen names an interface and what to receive on it.
type Listen struct {
	Name  string
	Index int
	// IPv4 and IPv6 are the families to receive.
	IPv4, IPv6 bool
	// Groups are the multicast groups to join. A family without a group here
	// joins 224.0.0.18 or ff02::12.
	Groups []netip.Addr
	// Unicast opens the sockets for Routed frames. Unicast packets are received
	// in any case.
	Unicast bool
	// AH receives messages behind an IP authentication header too (IPv4 only).
	AH bool
}

// Stats counts what a Port did since New.
type Stats struct {
	Received  uint64 // packets returned by Receive
	Malformed uint64 // packets with a malformed IP header, or longer than any advert
	Sent      uint64 // frames
	Unsent    uint64 // frames that the kernel refused
}

// A Port sends and receives VRRP on all interfaces that were opened.
//
// Each interface has a raw socket for protocol 112 per family, bound to the
// interface, and a packet socket for sending. All receive sockets are in an
// epoll set outside Go's poller, so that the thread that calls Receive is woken
// directly and by one system call. Neither Receive nor Send allocates.
//
// One goroutine calls Receive and Send. It should be locked to its thread. Any
// goroutine may call Wake, Open, Close, Watch, Unwatch and Stats.
type Port struct {
	epoll int
	wake  int // eventfd
	noNS  bool

	waking   sync.Mutex // of wake, to close it; guards the next
	finished bool       // wake is closed

	mu        sync.Mutex
	closed    bool
	waiting   bool                // a Receive is in epoll
	rx        map[int32]*rxSocket // by file descriptor
	tx        map[int]*txSocket   // by interface index
	watched   map[int32]func()    // by file descriptor: see Watch
	stats     Stats
	pending   []*txSocket // of one Send
	batch     *batch
	events    []unix.EpollEvent
	rush      rush
	wakeBytes [8]byte

	ahead ahead // belongs to the goroutine that calls Receive
	clock clock
}

// ErrClosed is returned by a Port after Shutdown.
var ErrClosed = errors.New("port is closed")

// New returns a Port that is open on no interface.
func New() (*Port, error) {
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
		rx: map[int32]*rxSocket{}, tx: map[int]*txSocket{}, watched: map[int32]func(){},
		batch: newBatch(), events: make([]unix.EpollEvent, 64), ahead: ahead{shots: make([]shot, 0, 512)}, clock: newClock(),
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

// Open starts sending and receiving on an interface. If the interface is open
// under the same index, Open changes the families and groups that are received.
// If it is open under another index, because it was deleted and made again, Open
// replaces the sockets. After an error the interface is not open.
func (p *Port) Open(l Listen) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("open port on %s: %w", l.Name, ErrClosed)
	}
	for index, s := range p.tx {
		if s.name == l.Name && index != l.Index {
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
	s := p.tx[l.Index]
	if s == nil {
		var err error
		if s, err = openTx(l); err != nil {
			return err
		}
		p.addTx(s)
	}
	s.name = l.Name
	if err := s.setRouted(l); err != nil {
		return err
	}
	for _, f := range []struct {
		want bool
		kind rxKind
	}{{l.IPv4, rx4}, {l.IPv6, rx6}, {l.IPv4 && l.AH, rxAH}} {
		have := p.rxOf(l.Index, f.kind)
		switch {
		case f.want && have == nil:
			s, err := openRx(l, f.kind)
			if err != nil {
				return err
			}
			p.rx[int32(s.fd)] = s
			if err := p.watch(s.fd); err != nil {
				return err
			}
		case f.want:
			if err := have.setGroups(l.groups(f.kind)); err != nil {
				return err
			}
		case have != nil:
			p.closeRx(have)
		}
	}
	return nil
}

func (p *Port) addTx(s *txSocket) {
	p.tx[s.index] = s
	p.pending = make([]*txSocket, 0, 3*len(p.tx))
}

func (p *Port) rxOf(index int, kind rxKind) *rxSocket {
	for _, s := range p.rx {
		if s.index == index && s.kind == kind {
			return s
		}
	}
	return nil
}

func (p *Port) closeRx(s *rxSocket) {
	delete(p.rx, int32(s.fd))
	unix.Close(s.fd) // this takes it out of the epoll set, too
}

// Close ends sending and receiving on an interface. It is no error if the
// interface is not open.
func (p *Port) Close(index int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut(index)
}

func (p *Port) shut(index int) {
	for _, s := range p.rx {
		if s.index == index {
			p.closeRx(s)
		}
	}
	if s := p.tx[index]; s != nil {
		delete(p.tx, index)
		s.close()
	}
}

// Wake makes the running Receive return, or the next one if none is running. It does
// not take the port's lock: the thread of Receive has a higher priority than the caller,
// and would wake up only to wait for the lock.
func (p *Port) Wake() {
	p.waking.Lock()
	defer p.waking.Unlock()
	if !p.finished {
		p.ring()
	}
}

// ring writes to the eventfd. The write fails only if the counter is full, and
// then the reader is woken anyway.
func (p *Port) ring() {
	one := [8]byte{1, 1, 1, 1}
	_, _ = unix.Write(p.wake, one[:])
}

// Stats returns the counts since New.
func (p *Port) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// Shutdown closes all sockets. The running Receive and every later one return
// ErrClosed.
func (p *Port) Shutdown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	for index := range p.tx {
		p.shut(index)
	}
	if p.waiting {
		p.ring() // the running Receive closes the rest
		return
	}
	p.finish()
}

func (p *Port) finish() {
	p.waking.Lock()
	defer p.waking.Unlock()
	p.finished = true
	unix.Close(p.epoll)
	unix.Close(p.wake)
}
