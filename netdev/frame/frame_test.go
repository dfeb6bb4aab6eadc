package frame

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

func TestAdvertNumbersPackets(t *testing.T) {
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
	if _, err := NewAdvert(MAC{2}, v4, group6); err == nil {
		t.Error("advert of two families")
	}
	if _, err := NewAdvert(MAC{2}, v4, v4); err == nil {
		t.Error("advert to a unicast address")
	}
	if _, err := NewAdvert(MAC{2}, netip.Addr{}, group4); err == nil {
		t.Error("advert without a source")
	}
	if _, err := GratuitousARP(MAC{2}, v6, ARPRequest); err == nil {
		t.Error("ARP for an IPv6 address")
	}
	if _, err := UnsolicitedNA(MAC{2}, v4, true); err == nil {
		t.Error("neighbour advertisement for an IPv4 address")
	}
	f := advert(t, MAC{2}, v6, group6)
	if f.Wrap(make([]byte, MaxAdvert)) == nil || f.Wrap(make([]byte, MaxAdvert+1)) != nil {
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

var (
	group4 = netip.MustParseAddr("224.0.0.18")
	group6 = netip.MustParseAddr("ff02::12")
)

func advert(t testing.TB, mac MAC, source, group netip.Addr) *Advert {
	t.Helper()
	a, err := NewAdvert(mac, source, group)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
