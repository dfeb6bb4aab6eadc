package lab

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// A Capture records the frames on a wire, at the switch's end: what the host
// really sends, and what really reaches it.
type Capture struct {
	done chan struct{}
	from func(packet byte) bool // whether the host has sent a packet of this type

	mu      sync.Mutex
	frames  []Frame
	fault   error
	missed  int
	stopped time.Time // zero while it records
}

// A Frame is one recorded Ethernet frame.
type Frame struct {
	Time     time.Time
	FromHost bool // the host at the end of the wire sent it
	Bytes    []byte
}

// Capture begins to record.
func (w *Wire) Capture() *Capture {
	w.Host.lab.t.Helper()
	return w.capture(nil)
}

// CaptureAdverts begins to record VRRP over IPv4 alone: little work, however
// much else is on the wire.
func (w *Wire) CaptureAdverts() *Capture {
	w.Host.lab.t.Helper()
	return w.capture(ofIPv4(ipVRRP))
}

// CaptureAnnouncements begins to record VRRP over IPv4, and ARP.
func (w *Wire) CaptureAnnouncements() *Capture {
	w.Host.lab.t.Helper()
	return w.capture(ofIPv4(ipVRRP, bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherARP, SkipTrue: 3}))
}

// ofIPv4 is a filter for one protocol over IPv4, and for what one more
// instruction, which gets Ethernet's protocol, sends to the last one.
func ofIPv4(protocol uint32, more ...bpf.Instruction) []bpf.Instruction {
	filter := append([]bpf.Instruction{bpf.LoadAbsolute{Off: 12, Size: 2}}, more...)
	return append(filter,
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherIPv4, SkipFalse: 3},
		bpf.LoadAbsolute{Off: 14 + 9, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protocol, SkipFalse: 1},
		bpf.RetConstant{Val: 65535},
		bpf.RetConstant{Val: 0})
}

func (w *Wire) capture(filter []bpf.Instruction) *Capture {
	c := &Capture{done: make(chan struct{}), from: func(packet byte) bool { return packet != unix.PACKET_OUTGOING }}
	c.start(w.Switch.lab.fabric, w.Device+" of "+w.Host.Name, w.port.Attrs().Index, filter)
	return c
}

// CaptureOn begins to record everything on a device of the host that need not be at a wire.
func (h *Host) CaptureOn(device string) *Capture {
	h.lab.t.Helper()
	c := &Capture{done: make(chan struct{}), from: func(packet byte) bool { return packet == unix.PACKET_OUTGOING }}
	c.start(h, device+" of "+h.Name, h.IfIndex(device), nil)
	return c
}

func (c *Capture) start(where *Host, what string, index int, filter []bpf.Instruction) {
	t := where.lab.t
	t.Helper()
	var socket int
	err := where.Do(func() (err error) {
		socket, err = openTap(index, filter)
		return err
	})
	if err != nil {
		t.Fatalf("capture on %s: %v", what, err)
	}
	go c.record(socket)
	t.Cleanup(func() { _ = c.Stop() })
}

func openTap(index int, filter []bpf.Instruction) (int, error) {
	const everything = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open a packet socket: %w", err)
	}
	timeout := unix.NsecToTimeval(int64(20 * time.Millisecond))
	for _, err := range []error{
		unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20),
		unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		setFilter(socket, filter), // the socket gets nothing before it is bound
		unix.Bind(socket, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: index}),
	} {
		if err != nil {
			_ = unix.Close(socket)
			return 0, fmt.Errorf("prepare a packet socket: %w", err)
		}
	}
	return socket, nil
}

func setFilter(socket int, filter []bpf.Instruction) error {
	if len(filter) == 0 {
		return nil
	}
	raw, err := bpf.Assemble(filter)
	if err != nil {
		return err
	}
	program := make([]unix.SockFilter, 0, len(raw))
	for _, i := range raw {
		program = append(program, unix.SockFilter{Code: i.Op, Jt: i.Jt, Jf: i.Jf, K: i.K})
	}
	return unix.SetsockoptSockFprog(socket, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}

func (c *Capture) record(socket int) {
	defer close(c.done)
	defer unix.Close(socket)
	defer c.countMissed(socket)
	buffer, control := make([]byte, 65536), make([]byte, 256)
	for {
		n, nc, _, from, err := unix.Recvmsg(socket, buffer, control, 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			if c.over(time.Now()) {
				return
			}
			continue
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ENETDOWN): // ENETDOWN: the wire is cut
			continue
		case err != nil:
			c.mu.Lock()
			c.fault = fmt.Errorf("receive: %w", err)
			c.mu.Unlock()
			return
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		frame := Frame{
			Time:     stamp(control[:nc]),
			FromHost: ok && c.from(link.Pkttype),
			Bytes:    append([]byte(nil), buffer[:n]...),
		}
		if c.over(frame.Time) {
			return
		}
		c.mu.Lock()
		c.frames = append(c.frames, frame)
		c.mu.Unlock()
	}
}

// countMissed asks the kernel, as long as the socket is open, what it had no
// room for.
func (c *Capture) countMissed(socket int) {
	stats, err := unix.GetsockoptTpacketStats(socket, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return
	}
	c.mu.Lock()
	c.missed = int(stats.Drops)
	c.mu.Unlock()
}

// Missed counts the frames that the capture had no room for, once it is
// stopped.
func (c *Capture) Missed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.missed
}

// over reports whether the capture was stopped before this time: what was sent
// before is kept even if it is still to be received.
func (c *Capture) over(at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.stopped.IsZero() && at.After(c.stopped)
}

// stamp is the kernel's time of a frame: ours would be as late as our thread.
func stamp(control []byte) time.Time {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return time.Now()
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return time.Now()
}

// Stop ends the capture and says what went wrong with it.
func (c *Capture) Stop() error {
	c.mu.Lock()
	if c.stopped.IsZero() {
		c.stopped = time.Now()
	}
	c.mu.Unlock()
	<-c.done
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault
}

// Frames returns the recorded frames that match, in order.
func (c *Capture) Frames(match func(Frame) bool) []Frame {
	c.mu.Lock()
	all := c.frames[:len(c.frames):len(c.frames)]
	c.mu.Unlock()
	var some []Frame
	for _, f := range all {
		if match(f) {
			some = append(some, f)
		}
	}
	return some
}

// Count counts the recorded frames that match.
func (c *Capture) Count(match func(Frame) bool) int { return len(c.Frames(match)) }

// Await waits until n frames match.
func (c *Capture) Await(t T, limit time.Duration, what string, n int, match func(Frame) bool) {
	t.Helper()
	Wait(t, limit, what, func() (string, bool) {
		count := c.Count(match)
		return fmt.Sprintf("%d of %d frames", count, n), count >= n
	})
}

// WritePcap writes all frames to a file that tcpdump and tshark read.
func (c *Capture) WritePcap(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write a capture: %w", err)
	}
	defer file.Close()
	out := bufio.NewWriter(file)
	const nanosecondMagic, ethernet = 0xa1b23c4d, 1
	header := binary.LittleEndian.AppendUint32(nil, nanosecondMagic)
	header = binary.LittleEndian.AppendUint16(header, 2)
	header = binary.LittleEndian.AppendUint16(header, 4)
	header = append(header, make([]byte, 8)...)
	header = binary.LittleEndian.AppendUint32(header, 65536)
	header = binary.LittleEndian.AppendUint32(header, ethernet)
	_, _ = out.Write(header) // Flush tells of any error
	for _, f := range c.Frames(func(Frame) bool { return true }) {
		record := binary.LittleEndian.AppendUint32(nil, uint32(f.Time.Unix()))
		record = binary.LittleEndian.AppendUint32(record, uint32(f.Time.Nanosecond()))
		record = binary.LittleEndian.AppendUint32(record, uint32(len(f.Bytes)))
		record = binary.LittleEndian.AppendUint32(record, uint32(len(f.Bytes)))
		_, _ = out.Write(record)
		_, _ = out.Write(f.Bytes)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write a capture: %w", err)
	}
	return nil
}
