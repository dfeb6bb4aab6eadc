package auth

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"holdfast/vrrp"
)

// keepalived 2.2.7 sent this with the password "secret".
const ahImage = "45c0004000010000ff33d0ad0a090001e0000012 700400000a0900010000000134e23a8c5e068820eaa8cc1f" +
	"2133640102016e5d0a0900640000000000000000"

func header() *Guard {
	return New(Config{Kind: Header, Secret: "secret"}, vrrp.IPv4, 2, 51, nil)
}

func TestHeaderImage(t *testing.T) {
	image := unhex(t, ahImage)
	if drop := header().Check(at, vrrp.Packet{}, image); drop != vrrp.DropNone {
		t.Errorf("dropped for %q", drop)
	}
	src := netip.MustParseAddr("10.9.0.1")
	g := header()
	early := time.Unix(1, 0) // keepalived begins with 1
	a := vrrp.Advert{Version: 2, VRID: 51, Priority: 100, Interval: time.Second, Addresses: list("10.9.0.100")}
	g.Mark(&a)
	packet := a.Append(g.Begin(bytes.Clone(image[:20]), early, src), src, vrrp.IPv4.MulticastGroup(), 0)
	g.Finish(packet)
	if !bytes.Equal(packet, image) {
		t.Errorf("made\n%x, want\n%x", packet, image)
	}
	// What routers may change does not count.
	for _, i := range []int{1, 6, 10, 11} {
		b := bytes.Clone(image)
		b[i] ^= 1
		if drop := header().Check(at, vrrp.Packet{}, b); drop != vrrp.DropNone {
			t.Errorf("byte %d changed: dropped for %q", i, drop)
		}
	}
	for _, i := range []int{4, 8, 12, 16, 22, 24, 28, 32, 46, 56} {
		b := bytes.Clone(image)
		b[i] ^= 1
		if drop := header().Check(at, vrrp.Packet{}, b); drop != vrrp.DropAuth {
			t.Errorf("byte %d changed: dropped for %q", i, drop)
		}
	}
	if drop := header().Check(at, vrrp.Packet{}, nil); drop != vrrp.DropAuthMissing {
		t.Errorf("without a header: dropped for %q", drop)
	}
	if drop := header().Check(at, vrrp.Packet{}, image[:40]); drop != vrrp.DropAuthFormat {
		t.Errorf("cut: dropped for %q", drop)
	}
}

// Each router's numbers grow, and ours exceed all that were received.
func TestHeaderSequence(t *testing.T) {
	image := unhex(t, ahImage)
	g := header()
	g.Check(at, vrrp.Packet{}, image)
	if drop := g.Check(at, vrrp.Packet{}, image); drop != vrrp.DropReplay {
		t.Errorf("the second time: dropped for %q", drop)
	}
	other := header()
	later := time.Unix(0x70000000, 0)
	packet := other.Begin(bytes.Clone(image[:20]), later, netip.MustParseAddr("10.9.0.3"))
	packet = append(packet, image[44:]...)
	copy(packet[12:], []byte{10, 9, 0, 3})
	other.Finish(packet)
	if drop := g.Check(at, vrrp.Packet{}, packet); drop != vrrp.DropNone {
		t.Errorf("another router: dropped for %q", drop)
	}
	b := g.Begin(nil, at, netip.MustParseAddr("10.9.0.2"))
	if got := b[8:12]; !bytes.Equal(got, []byte{0x70, 0, 0, 1}) {
		t.Errorf("sequence %x", got)
	}
	b = header().Begin(nil, at, netip.MustParseAddr("10.9.0.2"))
	if got := b[8:12]; !bytes.Equal(got, []byte{0x68, 0, 0, 0}) {
		t.Errorf("sequence %x of a new guard, want the time", got)
	}
}

// headerPacket returns an advert from 192.0.2.1 with an authentication header.
func headerPacket(g *Guard, now time.Time) []byte {
	source, group := netip.MustParseAddr("192.0.2.1"), vrrp.IPv4.MulticastGroup()
	a := vrrp.Advert{Version: 2, VRID: 10, Priority: 100, Interval: time.Second, Addresses: list("192.0.2.100")}
	g.Mark(&a)
	message := a.Append(g.Begin(nil, now, source), source, group, 0)
	packet := make([]byte, ipv4Len, ipv4Len+len(message))
	packet[0], packet[8], packet[9] = 0x45, 255, 51
	copy(packet[12:], source.AsSlice())
	copy(packet[16:], group.AsSlice())
	packet = append(packet, message...)
	g.Finish(packet)
	return packet
}

func headersOnPaths() []*Guard {
	paths := []*Guard{header(), header()}
	for _, g := range paths {
		g.OnPaths(paths)
	}
	return paths
}

// A message that one path brought is no good on another, as with an HMAC.
func TestHeaderReplayOnOtherPath(t *testing.T) {
	sender, paths := header(), headersOnPaths()
	first, second, third := headerPacket(sender, at), headerPacket(sender, at), headerPacket(sender, at)
	for i, c := range []struct {
		path   int
		packet []byte
		after  time.Duration
		want   vrrp.Drop
	}{
		{0, first, 0, vrrp.DropNone},
		{1, first, vrrp.CopyWindow + 1, vrrp.DropReplay},
		{0, second, time.Second, vrrp.DropNone},
		{1, first, time.Second, vrrp.DropReplay}, // older than what came just now
		{1, second, time.Second + vrrp.CopyWindow, vrrp.DropNone},
		{1, second, time.Second + vrrp.CopyWindow, vrrp.DropReplay}, // once
		{1, third, 2 * time.Second, vrrp.DropNone},
		{0, third, 3 * time.Second, vrrp.DropReplay}, // the path that it was held back on
	} {
		if drop := paths[c.path].Check(at.Add(c.after), vrrp.Packet{}, c.packet); drop != c.want {
			t.Errorf("%d: on path %d after %v: dropped for %q, want %q", i, c.path, c.after, drop, c.want)
		}
	}
}

// A router with one address on two paths is heard on both, although it sends more on one of
// them, and faster than the clock counts.
func TestHeaderNumbersOfPaths(t *testing.T) {
	senders, receivers := headersOnPaths(), headersOnPaths()
	other := header() // far ahead; one path brings it
	ahead := headerPacket(other, at.Add(time.Hour))
	copy(ahead[12:], []byte{192, 0, 2, 9})
	other.Finish(ahead)
	for i := range 100 {
		now := at.Add(time.Duration(i) * 100 * time.Millisecond)
		rounds := [][]int{{0, 1}}
		switch {
		case i == 50:
			if drop := senders[1].Check(now, vrrp.Packet{}, ahead); drop != vrrp.DropNone {
				t.Fatalf("the other router: dropped for %q", drop)
			}
		case i%3 == 0:
			rounds = [][]int{{0}, {0, 1}} // a question by one path, and the adverts
		case i%3 == 1:
			rounds = [][]int{{1}}
		}
		for _, round := range rounds {
			var sent [][]byte
			for _, path := range round {
				sent = append(sent, headerPacket(senders[path], now))
			}
			for j, path := range round {
				if drop := receivers[path].Check(now, vrrp.Packet{}, sent[j]); drop != vrrp.DropNone {
					t.Fatalf("advert %d on path %d: dropped for %q", i, path, drop)
				}
			}
		}
	}
}
