package netdev

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A tap sees every frame that comes in on an interface, and can send any.
type tap struct {
	ns    *ns
	fd    int
	index int
}

func newTap(n *ns, name string) *tap {
	n.t.Helper()
	index := n.index(name)
	n.enter()
	all := binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(all))
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { unix.Close(fd) })
	must(n.t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index}))
	must(n.t, unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1))
	return &tap{n, fd, index}
}

// during returns the frames that come within a time.
func (t *tap) during(d time.Duration) [][]byte {
	t.ns.t.Helper()
	var frames [][]byte
	for end := time.Now().Add(d); ; {
		left := time.Until(end)
		if left <= 0 {
			return frames
		}
		tv := unix.NsecToTimeval(max(int64(left), int64(time.Microsecond)))
		must(t.ns.t, unix.SetsockoptTimeval(t.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv))
		b := make([]byte, 2048)
		n, _, err := unix.Recvfrom(t.fd, b, 0)
		switch {
		case err == nil:
			frames = append(frames, b[:n])
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR), errors.Is(err, unix.ENETDOWN):
		default:
			t.ns.t.Fatal(err)
		}
	}
}

// surplus is how long to wait for frames that should not come.
const surplus = 80 * time.Millisecond

// until returns the frames that come until enough says so, and for a little
// longer, as there may be more than there should be.
func (t *tap) until(enough func([][]byte) bool) [][]byte {
	t.ns.t.Helper()
	var frames [][]byte
	for end := time.Now().Add(patience); !enough(frames) && time.Now().Before(end); {
		frames = append(frames, t.during(5*time.Millisecond)...)
	}
	return append(frames, t.during(surplus)...)
}

func (t *tap) send(frame []byte) {
	t.ns.t.Helper()
	must(t.ns.t, unix.Sendto(t.fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: t.index}))
}

// settle throws away what has come.
func (t *tap) settle() { t.during(50 * time.Millisecond) }

// hearOut returns when none of the MACs has spoken for a while: on a busy machine
// the kernel's chatter about a device that came up is late.
func (t *tap) hearOut(macs ...MAC) {
	t.ns.t.Helper()
	for range 5 {
		frames := t.during(chatter)
		if !slices.ContainsFunc(macs, func(m MAC) bool { return len(from(frames, m)) > 0 }) {
			return
		}
	}
	t.ns.t.Fatal("the kernel's chatter does not end")
}

// from returns the frames with a source MAC.
func from(frames [][]byte, mac MAC) [][]byte {
	var out [][]byte
	for _, f := range frames {
		if bytes.Equal(f[6:12], mac[:]) {
			out = append(out, f)
		}
	}
	return out
}

// An arp is what an ARP message says.
type arp struct {
	op       uint16
	sender   MAC
	senderIP netip.Addr
	targetIP netip.Addr
}

func arps(frames [][]byte) []arp {
	var out []arp
	for _, f := range frames {
		if binary.BigEndian.Uint16(f[12:]) == unix.ETH_P_ARP && len(f) >= 42 {
			out = append(out, arp{
				binary.BigEndian.Uint16(f[20:]), MAC(f[22:28]),
				netip.AddrFrom4([4]byte(f[28:32])), netip.AddrFrom4([4]byte(f[38:42])),
			})
		}
	}
	return out
}

const neighbourMAC = "\x02\x00\x00\x00\x00\x09"

// asks sends a request until there are as many answers as are expected, and waits
// for more. A link that has just come up may lose a request or its answer.
func (t *tap) asks(request []byte, expected int, answers func([][]byte) []MAC) []MAC {
	t.ns.t.Helper()
	t.settle()
	var frames [][]byte
	for end := time.Now().Add(patience); ; {
		t.send(request)
		for again := time.Now().Add(time.Second); len(answers(frames)) < expected && time.Now().Before(again); {
			frames = append(frames, t.during(5*time.Millisecond)...)
		}
		if len(answers(frames)) >= expected {
			return answers(append(frames, t.during(surplus)...))
		}
		if time.Now().After(end) {
			return answers(frames)
		}
		frames = nil // the same would answer twice
	}
}

// whoHas asks for an IPv4 address and returns the MACs that answer. It waits
// for as many as are expected, and then for more.
func (t *tap) whoHas(ip string, expected int) []MAC {
	t.ns.t.Helper()
	request := []byte("\xff\xff\xff\xff\xff\xff" + neighbourMAC + "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01" +
		neighbourMAC + "\x0a\x00\x00\x09\x00\x00\x00\x00\x00\x00")
	addr := netip.MustParseAddr(ip)
	request = append(request, addr.AsSlice()...)
	answers := func(frames [][]byte) []MAC {
		var macs []MAC
		for _, a := range arps(frames) {
			if a.op == 2 && a.senderIP == addr {
				macs = append(macs, a.sender)
			}
		}
		return macs
	}
	return t.asks(request, expected, answers)
}

// whoHas6 sends a neighbour solicitation from 2001:db8::9 and returns the MACs
// that answer.
func (t *tap) whoHas6(ip string, expected int) []MAC {
	t.ns.t.Helper()
	target := netip.MustParseAddr(ip).As16()
	request := solicitation(target)
	answers := func(frames [][]byte) []MAC {
		var macs []MAC
		for _, f := range frames {
			if len(f) >= 86 && f[20] == 58 && f[54] == 136 && bytes.Equal(f[62:78], target[:]) {
				macs = append(macs, MAC(f[80:86]))
			}
		}
		return macs
	}
	return t.asks(request, expected, answers)
}

func solicitation(target [16]byte) []byte {
	source := netip.MustParseAddr("2001:db8::9").As16()
	group := netip.MustParseAddr("ff02::1:ff00:0").As16()
	copy(group[13:], target[13:])
	mac := MulticastMAC(netip.AddrFrom16(group))
	f := append(append(mac[:], neighbourMAC...), 0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255)
	f = append(append(f, source[:]...), group[:]...)
	icmp := append([]byte{135, 0, 0, 0, 0, 0, 0, 0}, target[:]...)
	icmp = append(append(icmp, 1, 1), neighbourMAC...)
	s := sum(icmp, sum(group[:], sum(source[:], 32+58)))
	binary.BigEndian.PutUint16(icmp[2:], fold(s))
	return append(f, icmp...)
}

// answers reports whether an address takes a TCP connection attempt from n and
// refuses it, which its owner's kernel does, within a time.
func (n *ns) answers(ip string, within time.Duration) bool {
	n.t.Helper()
	return n.answersTo("", ip, within)
}

// answersTo is answers to what comes from a source, "" for any.
func (n *ns) answersTo(source, ip string, within time.Duration) bool {
	n.t.Helper()
	n.enter()
	address := func(text string, port int) (int, unix.Sockaddr) {
		a := netip.MustParseAddr(text)
		if a.Is4() {
			return unix.AF_INET, &unix.SockaddrInet4{Addr: a.As4(), Port: port}
		}
		return unix.AF_INET6, &unix.SockaddrInet6{Addr: a.As16(), Port: port}
	}
	family, to := address(ip, 9)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(n.t, err)
	defer unix.Close(fd)
	tv := unix.NsecToTimeval(int64(within))
	must(n.t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv))
	if source != "" {
		_, from := address(source, 0)
		must(n.t, unix.Bind(fd, from))
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

// sendFrom sends a UDP datagram with a given source address.
func (n *ns) sendFrom(source, destination string) {
	n.t.Helper()
	n.enter()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		n.t.Fatal(err)
	}
	defer unix.Close(fd)
	must(n.t, unix.Bind(fd, &unix.SockaddrInet4{Addr: netip.MustParseAddr(source).As4()}))
	must(n.t, unix.Sendto(fd, []byte("x"), 0, &unix.SockaddrInet4{Port: 9, Addr: netip.MustParseAddr(destination).As4()}))
}

// soon and briefly are how long to wait for an answer that must come, and for
// one that must not.
const (
	soon    = patience
	briefly = 300 * time.Millisecond
)

// says checks who answers for an IPv4 or IPv6 address.
func (t *tap) says(what, ip string, want ...MAC) {
	t.ns.t.Helper()
	ask := t.whoHas
	if netip.MustParseAddr(ip).Is6() {
		ask = t.whoHas6
	}
	if got := ask(ip, len(want)); !slices.Equal(got, want) {
		t.ns.t.Errorf("%s: %v answer for %s, want %v", what, got, ip, want)
	}
}
