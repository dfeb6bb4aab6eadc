package netdev

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
)

// unhex reads bytes written in groups.
func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}

// The frames below were put together by hand from the RFCs; their checksums
// were computed apart from this code.
func TestFrames(t *testing.T) {
	mac4, mac6 := MAC{0, 0, 0x5e, 0, 1, 0x33}, MAC{0, 0, 0x5e, 0, 2, 0x33}
	vip4, vip6 := netip.MustParseAddr("10.0.0.100"), netip.MustParseAddr("2001:db8::100")
	wrap := func(mac MAC, source, group string) []byte {
		return advert(t, mac, netip.MustParseAddr(source), netip.MustParseAddr(group)).Wrap([]byte("message!"))
	}
	good := func(b []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"advert IPv4", wrap(mac4, "10.0.0.1", "224.0.0.18"), `
			01005e000012 00005e000133 0800
			45 c0 001c 0001 0000 ff 70 d09d 0a000001 e0000012
			6d65737361676521`},
		{"advert IPv6", wrap(mac6, "fe80::1", "ff02::12"), `
			333300000012 00005e000233 86dd
			6c000000 0008 70 ff
			fe800000000000000000000000000001 ff020000000000000000000000000012
			6d65737361676521`},
		{"gratuitous ARP request", good(GratuitousARP(mac4, vip4, ARPRequest)), `
			ffffffffffff 00005e000133 0806
			0001 0800 06 04 0001
			00005e000133 0a000064 000000000000 0a000064`},
		{"gratuitous ARP reply", good(GratuitousARP(mac4, vip4, ARPReply)), `
			ffffffffffff 00005e000133 0806
			0001 0800 06 04 0002
			00005e000133 0a000064 00005e000133 0a000064`},
		{"unsolicited NA of a router", good(UnsolicitedNA(mac6, vip6, true)), `
			333300000001 00005e000233 86dd
			6c000000 0020 3a ff
			20010db8000000000000000000000100 ff020000000000000000000000000001
			88 00 18fa a0000000
			20010db8000000000000000000000100
			02 01 00005e000233`},
		{"unsolicited NA of a host", good(UnsolicitedNA(mac6, vip6, false)), `
			333300000001 00005e000233 86dd
			6c000000 0020 3a ff
			20010db8000000000000000000000100 ff020000000000000000000000000001
			88 00 98fa 20000000
			20010db8000000000000000000000100
			02 01 00005e000233`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, want := hex.EncodeToString(c.got), unhex(t, c.want); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestAdvertFrameNumbersPackets(t *testing.T) {
	f := advert(t, MAC{2}, netip.MustParseAddr("10.0.0.1"), group4)
	first := string(f.Wrap([]byte("longer than the second")))
	second := f.Wrap([]byte("short"))
	if string(second[18:20]) == first[18:20] {
		t.Error("two packets have one identification")
	}
	if got := fold(sum(second[14:34], 0)); got != 0 {
		t.Errorf("header checksum leaves %#04x", got)
	}
	if len(second) != 14+20+5 || second[17] != 25 {
		t.Errorf("frame of %d bytes, total length %d", len(second), second[17])
	}
}

func TestFrameErrors(t *testing.T) {
	v4, v6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fe80::1")
	if _, err := NewAdvertFrame(MAC{2}, v4, group6); err == nil {
		t.Error("advert of two families")
	}
	if _, err := NewAdvertFrame(MAC{2}, v4, v4); err == nil {
		t.Error("advert to a unicast address")
	}
	if _, err := NewAdvertFrame(MAC{2}, netip.Addr{}, group4); err == nil {
		t.Error("advert without a source")
	}
	if _, err := GratuitousARP(MAC{2}, v6, ARPRequest); err == nil {
		t.Error("ARP for an IPv6 address")
	}
	if _, err := UnsolicitedNA(MAC{2}, v4, true); err == nil {
		t.Error("neighbour advertisement for an IPv4 address")
	}
	f := advert(t, MAC{2}, v6, group6)
	if f.Wrap(make([]byte, maxAdvert)) == nil || f.Wrap(make([]byte, maxAdvert+1)) != nil {
		t.Error("Wrap does not stop at the longest message")
	}
}

func TestFramesAllocateNothing(t *testing.T) {
	f4 := advert(t, MAC{2}, netip.MustParseAddr("10.0.0.1"), group4)
	f6 := advert(t, MAC{2}, netip.MustParseAddr("fe80::1"), group6)
	message := make([]byte, 40)
	if n := testing.AllocsPerRun(100, func() { f4.Wrap(message); f6.Wrap(message) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParsePackets(f *testing.F) {
	f.Add([]byte("\x45\xc0\x00\x1c\x00\x01\x00\x00\xff\x70\x00\x00\x0a\x00\x00\x01\xe0\x00\x00\x12message!"), []byte{})
	f.Add([]byte("x"), make([]byte, 64))
	f.Fuzz(func(t *testing.T, packet, control []byte) {
		if p, ok := parse4(packet); ok && (len(p.Payload) > len(packet)-ipv4Len || !p.Source.Is4()) {
			t.Errorf("payload of %d bytes out of %d", len(p.Payload), len(packet))
		}
		// The kernel's control messages are aligned, and so is a new slice.
		if p, ok := parse6(packet, [16]byte{}, append([]byte(nil), control...)); ok && !p.Destination.IsValid() {
			t.Error("no destination")
		}
	})
}

func TestParse4(t *testing.T) {
	good := "\x46\xc0\x00\x20\x00\x01\x00\x00\xff\x70\x00\x00\x0a\x00\x00\x01\xe0\x00\x00\x12opt.message!padding"
	edit := func(at int, b byte) string { return good[:at] + string([]byte{b}) + good[at+1:] }
	for _, c := range []struct {
		name, packet string
		ok           bool
	}{
		{"options and padding", good, true},
		{"empty", "", false},
		{"shorter than a header", good[:19], false},
		{"version 6", edit(0, 0x66), false},
		{"header length below 20", edit(0, 0x44), false},
		{"header longer than the packet", edit(3, 22), false},
		{"total length beyond what came", edit(3, 200), false},
		{"another protocol", edit(9, 6), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, ok := parse4([]byte(c.packet))
			if ok != c.ok {
				t.Fatalf("ok = %v", ok)
			}
			if ok && (string(p.Payload) != "message!" || p.Source.String() != "10.0.0.1" || p.Destination != group4 || p.HopLimit != 255) {
				t.Errorf("%+v %q", p, p.Payload)
			}
		})
	}
}
