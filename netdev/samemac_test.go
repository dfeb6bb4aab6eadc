package netdev

import (
	"net/netip"
	"testing"
	"time"

	"holdfast/netdev/frame"
	"holdfast/netdev/internal/testns"
	"holdfast/netdev/port"
)

// Two MASTERs with the same virtual MAC must hear each other, or neither ever
// yields.
func TestMastersWithOneMACHearEachOther(t *testing.T) {
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	s := spec4()
	s.IPv6 = true
	ensure(t, h, s)
	testns.Must(t, h.Claim(s.Name))
	open := func(n *testns.NS, name string) (*port.Port, int) {
		n.Enter()
		port1, err := port.New()
		testns.Must(t, err)
		t.Cleanup(port1.Shutdown)
		testns.Must(t, port1.Open(port.Listen{Name: name, Index: n.Index(name), IPv4: true, IPv6: true}))
		return port1, n.Index(name)
	}
	sender, from := open(p.Neighbour, "net0")
	receiver, _ := open(p.Director, "eth0")
	for _, c := range [][2]string{{"10.0.0.9", "224.0.0.18"}, {"fe80::9", "ff02::12"}} {
		f, err := frame.NewAdvert(vmac, netip.MustParseAddr(c[0]), netip.MustParseAddr(c[1]))
		testns.Must(t, err)
		for range 10 {
			_, err := sender.Send([]port.Frame{{IfIndex: from, Bytes: f.Wrap([]byte("rival"))}})
			testns.Must(t, err)
		}
	}
	for heard, end := 0, time.Now().Add(testns.Timeout); heard < 20; {
		packets, err := receiver.Receive(end, nil)
		testns.Must(t, err)
		if heard += len(packets); time.Now().After(end) {
			t.Fatalf("%d of 20 adverts came", heard)
		}
	}
}
