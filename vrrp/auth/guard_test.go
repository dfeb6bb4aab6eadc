package auth

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"

	"holdfast/vrrp"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// counting returns the bytes 0, 1, 2 and so on.
func counting(n int) Secret {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return Secret(b)
}

// at is the time of the vectors: half a second past.
var at = time.Unix(0x68000000, 5e8)

func list(addresses ...string) []netip.Addr {
	var l []netip.Addr
	for _, a := range addresses {
		l = append(l, netip.MustParseAddr(a))
	}
	return l
}

func TestPassword(t *testing.T) {
	src := netip.MustParseAddr("10.9.0.1")
	make := func(secret Secret) []byte {
		g := New(Config{Kind: Password, Secret: secret}, vrrp.IPv4, 2, 51, nil)
		a := vrrp.Advert{Version: 2, VRID: 51, Priority: 100, Interval: time.Second, Addresses: list("10.9.0.100")}
		g.Mark(&a)
		return g.Seal(a.Append(g.Begin(nil, at, src), src, vrrp.IPv4.MulticastGroup(), 0), at, src)
	}
	g := New(Config{Kind: Password, Secret: "secret"}, vrrp.IPv4, 2, 51, nil)
	for secret, want := range map[Secret]vrrp.Drop{"secret": vrrp.DropNone, "secret2": vrrp.DropAuth, "secre": vrrp.DropAuth, "": vrrp.DropAuth} {
		p := vrrp.Packet{Source: src, Destination: vrrp.IPv4.MulticastGroup(), HopLimit: 255, Payload: make(secret)}
		var a vrrp.Advert
		if drop := vrrp.Decode(p, &a); drop != vrrp.DropNone || a.AuthType != 1 {
			t.Errorf("decoding: %q, type %d", drop, a.AuthType)
		}
		if drop := g.Check(at, p, nil); drop != want {
			t.Errorf("%q: dropped for %q, want %q", string(secret), drop, want)
		}
	}
}

// A source without the key replaces no sender that is remembered.
func TestSenders(t *testing.T) {
	var s senders
	src := netip.MustParseAddr("10.0.0.1")
	first := src
	s.of(first).sequence = 1
	for range numSenders - 1 {
		src = src.Next()
		s.of(src).sequence = 2
	}
	if s.of(first).sequence != 1 {
		t.Error("forgotten while there is room")
	}
	s.of(src.Next()) // pushes out the second
	if s.of(first).sequence != 1 || s.of(first.Next()).sequence != 0 {
		t.Error("not the one that was not heard for longest was forgotten")
	}
}

func TestAllocations(t *testing.T) {
	src := netip.MustParseAddr("10.9.0.1")
	a := vrrp.Advert{Version: 2, VRID: 51, Priority: 100, Interval: time.Second, Addresses: list("10.9.0.100")}
	buffer := make([]byte, 0, 512)
	for _, c := range []Config{
		{Kind: Password, Secret: "secret"}, {Kind: Header, Secret: "secret"},
		{Kind: HMAC, Keys: []Key{{1, counting(32)}}, Active: 1, Window: 5 * time.Second},
	} {
		sender, receiver := New(c, vrrp.IPv4, 2, 51, nil), New(c, vrrp.IPv4, 2, 51, nil)
		ip := unhex(t, ahImage)[:20]
		drop := vrrp.DropNone
		n := testing.AllocsPerRun(100, func() {
			sender.Mark(&a)
			b := sender.Begin(append(buffer, ip...), at, src)
			begin := len(b)
			b = sender.Seal(a.Append(b[20:], src, vrrp.IPv4.MulticastGroup(), 0), at, src)
			packet := buffer[:20+len(b)]
			sender.Finish(packet)
			if d := receiver.Check(at, vrrp.Packet{Source: src, Payload: packet[begin:]}, packet); d != vrrp.DropNone {
				drop = d
			}
		})
		if n != 0 || drop != vrrp.DropNone {
			t.Errorf("kind %d: %v allocations, dropped for %q", c.Kind, n, drop)
		}
	}
}

// FuzzCheck throws arbitrary payloads and datagrams at the guards: none of them
// is authentic.
func FuzzCheck(f *testing.F) {
	for _, v := range images {
		f.Add(unhex(f, v.image), unhex(f, ahImage), v.source)
	}
	guards := []*Guard{
		guarded(Key{1, counting(33)}, &images[0].advert, nil),
		guarded(Key{7, counting(33)}, &images[1].advert, func(c *Config) { c.Window = 0 }),
		New(Config{Kind: Header, Secret: "other"}, vrrp.IPv4, 2, 51, nil),
		New(Config{Kind: Password, Secret: "\x80\x81other"}, vrrp.IPv4, 2, 51, nil),
	}
	f.Fuzz(func(t *testing.T, payload, datagram []byte, source string) {
		src, err := netip.ParseAddr(source)
		if err != nil {
			return
		}
		for _, g := range guards {
			p := vrrp.Packet{Source: src, Payload: payload}
			if drop := g.Check(at, p, datagram); drop == vrrp.DropNone && g.cfg.Kind != Password {
				t.Errorf("kind %d: %x, %x passed", g.cfg.Kind, payload, datagram)
			}
		}
	})
}
