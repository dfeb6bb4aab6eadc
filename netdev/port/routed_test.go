package port

import (
	"errors"
	"net/netip"
	"testing"

	"holdfast/netdev/frame"
	"holdfast/netdev/internal/testns"
)

// A routed packet reaches the peer whose Ethernet address the kernel finds, in
// both families, with the hop limit and source that it was given.
func TestRoutedFramesReachThePeer(t *testing.T) {
	p := testns.NewPair(t)
	receiver, _ := openPort(t, p.Director, "eth0")
	sender, from := openPort(t, p.Neighbour, "net0")
	testns.Must(t, sender.Open(Listen{Name: "net0", Index: from, IPv4: true, IPv6: true, Unicast: true}))
	for _, c := range []struct{ source, destination string }{
		{"10.0.0.9", "10.0.0.1"},
		{"fe80::ff:fe00:9", "fe80::ff:fe00:1"},
	} {
		source, destination := netip.MustParseAddr(c.source), netip.MustParseAddr(c.destination)
		f, err := frame.NewRoutedAdvert(source, destination)
		testns.Must(t, err)
		n, err := sender.Send([]Frame{{IfIndex: from, Bytes: f.Wrap([]byte("hello!!!")), Routed: true}})
		if n != 1 || err != nil {
			t.Fatalf("from %s: sent %d: %v", c.source, n, err)
		}
		got := receive(t, receiver, 1)[0]
		if got.Source != source || got.Destination != destination || got.HopLimit != 255 || string(got.Payload) != "hello!!!" {
			t.Errorf("received %+v", got)
		}
	}
}

// Packets for peers that are away wait in the kernel for their Ethernet addresses. They
// leave room for those of the peers that are there.
func TestAbsentPeersStopNoFrame(t *testing.T) {
	p := testns.NewPair(t)
	sender, from := openPort(t, p.Neighbour, "net0")
	testns.Must(t, sender.Open(Listen{Name: "net0", Index: from, IPv4: true, Unicast: true}))
	source := netip.MustParseAddr("10.0.0.9")
	for i := range 400 {
		f, err := frame.NewRoutedAdvert(source, netip.AddrFrom4([4]byte{10, 0, 0, byte(20 + i%200)}))
		testns.Must(t, err)
		if n, err := sender.Send([]Frame{{IfIndex: from, Bytes: f.Wrap([]byte("hello!!!")), Routed: true}}); n != 1 {
			t.Fatalf("packet %d: %v", i, err)
		}
	}
}

// A peer behind routers is sent to with a TTL or hop limit of one's own.
func TestRoutedFramesCarryTheirHops(t *testing.T) {
	p := testns.NewPair(t)
	receiver, _ := openPort(t, p.Director, "eth0")
	sender, from := openPort(t, p.Neighbour, "net0")
	testns.Must(t, sender.Open(Listen{Name: "net0", Index: from, IPv4: true, IPv6: true, Unicast: true}))
	for _, c := range [][2]string{{"10.0.0.9", "10.0.0.1"}, {"fe80::ff:fe00:9", "fe80::ff:fe00:1"}} {
		f, err := frame.NewRoutedAdvert(netip.MustParseAddr(c[0]), netip.MustParseAddr(c[1]))
		testns.Must(t, err)
		if n, err := sender.Send([]Frame{{IfIndex: from, Bytes: f.Hops(64).Wrap([]byte("hello!!!")), Routed: true}}); n != 1 {
			t.Fatalf("from %s: %v", c[0], err)
		}
		if got := receive(t, receiver, 1)[0]; got.HopLimit != 64 || got.Source.String() != c[0] {
			t.Errorf("received %+v", got)
		}
	}
}

// A message behind an authentication header is heard where that is asked for.
func TestPortHearsAH(t *testing.T) {
	p := testns.NewPair(t)
	receiver, to := openPort(t, p.Director, "eth0")
	sender, from := openPort(t, p.Neighbour, "net0")
	ah := []byte{112, 4, 0, 0, 10, 0, 0, 9, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	f := advert(t, vmac, source4, group4).Authenticated()
	say := func() {
		if n, err := sender.Send([]Frame{{IfIndex: from, Bytes: f.Wrap(append(ah, "message!"...))}}); n != 1 {
			t.Fatal(err)
		}
	}
	say() // nobody listens yet
	p.Director.Enter()
	testns.Must(t, receiver.Open(Listen{Name: "eth0", Index: to, IPv4: true, IPv6: true, AH: true}))
	say()
	got := receive(t, receiver, 1)
	if len(got) != 1 || string(got[0].Payload) != "message!" || len(got[0].Datagram) != 20+24+8 || got[0].Source != source4 {
		t.Errorf("received %+v", got)
	}
}

// Without Unicast there is no socket for routed frames, and nothing else is
// done with them.
func TestRoutedFramesNeedUnicast(t *testing.T) {
	p := testns.NewPair(t)
	port, index := openPort(t, p.Director, "eth0")
	f, err := frame.NewRoutedAdvert(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.9"))
	testns.Must(t, err)
	if n, err := port.Send([]Frame{{IfIndex: index, Bytes: f.Wrap([]byte("x")), Routed: true}}); n != 0 || !errors.Is(err, ErrNotOpen) {
		t.Errorf("sent %d: %v", n, err)
	}
}
