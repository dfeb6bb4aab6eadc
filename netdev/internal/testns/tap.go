package testns

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"time"

	"holdfast/netdev/frame"

	"golang.org/x/sys/unix"
)

// A Tap sees every frame that comes in on an interface, and can send any.
type Tap struct {
	NS    *NS
	fd    int
	index int
}

// NewTap opens a tap on an interface of n.
func NewTap(n *NS, name string) *Tap {
	n.T.Helper()
	index := n.Index(name)
	n.Enter()
	all := binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(all))
	if err != nil {
		n.T.Fatal(err)
	}
	n.T.Cleanup(func() { unix.Close(fd) })
	Must(n.T, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index}))
	Must(n.T, unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1))
	return &Tap{n, fd, index}
}

// During returns the frames that come within a time.
func (t *Tap) During(d time.Duration) [][]byte {
	t.NS.T.Helper()
	var frames [][]byte
	for end := time.Now().Add(d); ; {
		left := time.Until(end)
		if left <= 0 {
			return frames
		}
		tv := unix.NsecToTimeval(max(int64(left), int64(time.Microsecond)))
		Must(t.NS.T, unix.SetsockoptTimeval(t.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv))
		b := make([]byte, 2048)
		n, _, err := unix.Recvfrom(t.fd, b, 0)
		switch {
		case err == nil:
			frames = append(frames, b[:n])
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR), errors.Is(err, unix.ENETDOWN):
		default:
			t.NS.T.Fatal(err)
		}
	}
}

// Surplus is how long to wait for frames that should not come.
const Surplus = 80 * time.Millisecond

// Until returns the frames that come until enough says so, and for a little
// longer, as there may be more than there should be.
func (t *Tap) Until(enough func([][]byte) bool) [][]byte {
	t.NS.T.Helper()
	var frames [][]byte
	for end := time.Now().Add(Timeout); !enough(frames) && time.Now().Before(end); {
		frames = append(frames, t.During(5*time.Millisecond)...)
	}
	return append(frames, t.During(Surplus)...)
}

// Send sends a frame through the interface.
func (t *Tap) Send(frame []byte) {
	t.NS.T.Helper()
	Must(t.NS.T, unix.Sendto(t.fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: t.index}))
}

// Settle throws away what has come.
func (t *Tap) Settle() { t.During(50 * time.Millisecond) }

// HearOut returns when none of the MACs has spoken for a while: on a busy machine
// the kernel's chatter about a device that came up is late.
func (t *Tap) HearOut(macs ...frame.MAC) {
	t.NS.T.Helper()
	for range 5 {
		frames := t.During(Chatter)
		if !slices.ContainsFunc(macs, func(m frame.MAC) bool { return len(From(frames, m)) > 0 }) {
			return
		}
	}
	t.NS.T.Fatal("the kernel's chatter does not end")
}

// From returns the frames with a source MAC.
func From(frames [][]byte, mac frame.MAC) [][]byte {
	var out [][]byte
	for _, f := range frames {
		if bytes.Equal(f[6:12], mac[:]) {
			out = append(out, f)
		}
	}
	return out
}

// An ARP is what an ARP message says.
type ARP struct {
	Op       uint16
	Sender   frame.MAC
	SenderIP netip.Addr
	TargetIP netip.Addr
}

// ARPs returns the ARP messages among frames.
func ARPs(frames [][]byte) []ARP {
	var out []ARP
	for _, f := range frames {
		if binary.BigEndian.Uint16(f[12:]) == unix.ETH_P_ARP && len(f) >= 42 {
			out = append(out, ARP{
				binary.BigEndian.Uint16(f[20:]), frame.MAC(f[22:28]),
				netip.AddrFrom4([4]byte(f[28:32])), netip.AddrFrom4([4]byte(f[38:42])),
			})
		}
	}
	return out
}

const neighbourMAC = "\x02\x00\x00\x00\x00\x09"

// Asks sends a request until there are as many answers as are expected, and waits
// for more. A link that has just come up may lose a request or its answer.
func (t *Tap) Asks(request []byte, expected int, answers func([][]byte) []frame.MAC) []frame.MAC {
	t.NS.T.Helper()
	t.Settle()
	var frames [][]byte
	for end := time.Now().Add(Timeout); ; {
		t.Send(request)
		for again := time.Now().Add(time.Second); len(answers(frames)) < expected && time.Now().Before(again); {
			frames = append(frames, t.During(5*time.Millisecond)...)
		}
		if len(answers(frames)) >= expected {
			return answers(append(frames, t.During(Surplus)...))
		}
		if time.Now().After(end) {
			return answers(frames)
		}
		frames = nil // the same would answer twice
	}
}

// WhoHas asks for an IPv4 address and returns the MACs that answer. It waits
// for as many as are expected, and then for more.
func (t *Tap) WhoHas(ip string, expected int) []frame.MAC {
	t.NS.T.Helper()
	request := []byte("\xff\xff\xff\xff\xff\xff" + neighbourMAC + "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01" +
		neighbourMAC + "\x0a\x00\x00\x09\x00\x00\x00\x00\x00\x00")
	addr := netip.MustParseAddr(ip)
	request = append(request, addr.AsSlice()...)
	answers := func(frames [][]byte) []frame.MAC {
		var macs []frame.MAC
		for _, a := range ARPs(frames) {
			if a.Op == 2 && a.SenderIP == addr {
				macs = append(macs, a.Sender)
			}
		}
		return macs
	}
	return t.Asks(request, expected, answers)
}

// WhoHas6 sends a neighbour solicitation from 2001:db8::9 and returns the MACs
// that answer.
func (t *Tap) WhoHas6(ip string, expected int) []frame.MAC {
	t.NS.T.Helper()
	target := netip.MustParseAddr(ip).As16()
	request, err := frame.NeighbourSolicitation(frame.MAC([]byte(neighbourMAC)), netip.MustParseAddr("2001:db8::9"), netip.MustParseAddr(ip))
	Must(t.NS.T, err)
	answers := func(frames [][]byte) []frame.MAC {
		var macs []frame.MAC
		for _, f := range frames {
			if len(f) >= 86 && f[20] == 58 && f[54] == 136 && bytes.Equal(f[62:78], target[:]) {
				macs = append(macs, frame.MAC(f[80:86]))
			}
		}
		return macs
	}
	return t.Asks(request, expected, answers)
}

// Answers reports whether an address takes a TCP connection attempt from n and
// refuses it, which its owner's kernel does, within a time.
func (n *NS) Answers(ip string, within time.Duration) bool {
	n.T.Helper()
	return n.AnswersTo("", ip, within)
}

// AnswersTo is Answers for what comes from a source, "" for any.
func (n *NS) AnswersTo(source, ip string, within time.Duration) bool {
	n.T.Helper()
	n.Enter()
	address := func(text string, port int) (int, unix.Sockaddr) {
		a := netip.MustParseAddr(text)
		if a.Is4() {
			return unix.AF_INET, &unix.SockaddrInet4{Addr: a.As4(), Port: port}
		}
		return unix.AF_INET6, &unix.SockaddrInet6{Addr: a.As16(), Port: port}
	}
	family, to := address(ip, 9)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	Must(n.T, err)
	defer unix.Close(fd)
	tv := unix.NsecToTimeval(int64(within))
	Must(n.T, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv))
	if source != "" {
		_, from := address(source, 0)
		Must(n.T, unix.Bind(fd, from))
	}
	for end := time.Now().Add(within); ; {
		err := unix.Connect(fd, to)
		// With a timeout the kernel does not go on by itself after a signal, and
		// Go's runtime sends itself some.
		if !errors.Is(err, unix.EINTR) || time.Now().After(end) {
			return errors.Is(err, unix.ECONNREFUSED)
		}
	}
}

// SendFrom sends a UDP datagram with a given source address.
func (n *NS) SendFrom(source, destination string) {
	n.T.Helper()
	n.Enter()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		n.T.Fatal(err)
	}
	defer unix.Close(fd)
	Must(n.T, unix.Bind(fd, &unix.SockaddrInet4{Addr: netip.MustParseAddr(source).As4()}))
	Must(n.T, unix.Sendto(fd, []byte("x"), 0, &unix.SockaddrInet4{Port: 9, Addr: netip.MustParseAddr(destination).As4()}))
}

// Soon and Briefly are how long to wait for an answer that must come, and for
// one that must not.
const (
	Soon    = Timeout
	Briefly = 300 * time.Millisecond
)

// Says checks who answers for an IPv4 or IPv6 address.
func (t *Tap) Says(what, ip string, want ...frame.MAC) {
	t.NS.T.Helper()
	ask := t.WhoHas
	if netip.MustParseAddr(ip).Is6() {
		ask = t.WhoHas6
	}
	if got := ask(ip, len(want)); !slices.Equal(got, want) {
		t.NS.T.Errorf("%s: %v answer for %s, want %v", what, got, ip, want)
	}
}

// Chatter is how long a kernel may speak by itself after a device came up: it
// checks links once a second, and then repeats its multicast listener reports.
const Chatter = 1300 * time.Millisecond
