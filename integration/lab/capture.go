package lab

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Capture records the frames on a wire, at the switch's end: what the host
// really sends, and what really reaches it.
type Capture struct {
	wire *Wire
	done chan struct{}

	mu      sync.Mutex
	frames  []Frame
	fault   error
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
	c := &Capture{wire: w, done: make(chan struct{})}
	var socket int
	err := w.Switch.lab.fabric.Do(func() (err error) {
		socket, err = openTap(w.port.Attrs().Index)
		return err
	})
	if err != nil {
		w.Host.lab.t.Fatalf("capture on %s of %s: %v", w.Device, w.Host.Name, err)
	}
	go c.record(socket)
	w.Host.lab.t.Cleanup(func() { _ = c.Stop() })
	return c
}

func openTap(index int) (int, error) {
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
		unix.Bind(socket, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: index}),
	} {
		if err != nil {
			_ = unix.Close(socket)
			return 0, fmt.Errorf("prepare a packet socket: %w", err)
		}
	}
	return socket, nil
}

func (c *Capture) record(socket int) {
	defer close(c.done)
	defer unix.Close(socket)
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
			FromHost: ok && link.Pkttype != unix.PACKET_OUTGOING,
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

// over says whether the capture was stopped before this time: what was sent
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
