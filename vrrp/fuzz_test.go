package vrrp

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecode throws arbitrary packets at Decode. What it accepts must be
// within the bounds it promises, and sending it must say the same again.
//
// Random bytes hardly ever have a right checksum, so every input is tried
// twice: as it is, and with the checksum set right.
func FuzzDecode(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.packet.Source.AsSlice(), v.packet.Destination.AsSlice(), v.packet.HopLimit, v.packet.Payload, true)
	}
	f.Fuzz(func(t *testing.T, src, dst []byte, hopLimit uint8, payload []byte, pseudo bool) {
		source, _ := netip.AddrFromSlice(src)
		destination, _ := netip.AddrFromSlice(dst)
		p := Packet{source, destination, hopLimit, payload}
		checkDecode(t, p)
		p.HopLimit = HopLimit
		p.Payload = withChecksum(p, pseudo)
		checkDecode(t, p)
	})
}

func checkDecode(t *testing.T, p Packet) {
	t.Helper()
	var a Advert
	Peek(p.Payload)
	if drop := Decode(p, &a); drop != DropNone {
		if int(drop) >= NumDrops || drop.String() == "" {
			t.Errorf("drop without a name: %d", drop)
		}
		return
	}
	if (a.Interval <= 0) != a.Answer || a.Interval > MaxIntervalV2 || a.Version == 3 && a.Interval > MaxIntervalV3 {
		t.Errorf("interval %v", a.Interval)
	}
	for _, addr := range a.Addresses {
		if FamilyOf(addr) != FamilyOf(p.Source) {
			t.Errorf("address %v in a message from %v", addr, p.Source)
		}
	}
	p.Payload = a.Append(nil, p.Source, p.Destination, a.Checksum)
	var again Advert
	if drop := Decode(p, &again); drop != DropNone {
		t.Fatalf("what was accepted is dropped when sent again: %v", drop)
	}
	if diff := cmp.Diff(a, again, addrs, cmpAddresses); diff != "" {
		t.Errorf("sent again it differs (-first +second):\n%s", diff)
	}
}

// cmpAddresses makes an empty list equal to none.
var cmpAddresses = cmp.Transformer("len", func(list []netip.Addr) []any {
	out := make([]any, 0, len(list))
	for _, a := range list {
		out = append(out, a)
	}
	return out
})

// withChecksum returns a copy of the payload with a right checksum, when the
// payload is long enough to have one.
func withChecksum(p Packet, pseudo bool) []byte {
	b := append([]byte(nil), p.Payload...)
	if len(b) < headerLen {
		return b
	}
	msg := complete(b, b[0]>>4, FamilyOf(p.Source))
	if msg == nil {
		return b
	}
	msg[6], msg[7] = 0, 0
	acc := sum(0, msg)
	if b[0]>>4 == 3 && (pseudo || FamilyOf(p.Source) == IPv6) {
		acc += pseudoSum(p.Source, p.Destination, len(msg))
	}
	c := ^fold(acc)
	msg[6], msg[7] = byte(c>>8), byte(c)
	return b
}
