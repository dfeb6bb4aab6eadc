package frame

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
)

// FuzzAnswers throws arbitrary frames at what looks for the answer of a
// neighbour: it takes none for it that does not carry the address.
func FuzzAnswers(f *testing.F) {
	host4, host6 := netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("fe80::9")
	mac := MAC{2, 0, 0, 0, 0, 9}
	reply := WhoHas(mac, host4, netip.MustParseAddr("10.0.0.1"))
	reply[EthernetLen+7] = byte(ARPReply)
	f.Add(reply)
	question, err := NeighbourSolicitation(mac, host6, host6)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(question)
	f.Add(append(append(ethernetHeader(mac, mac, 0x86dd), 0x60, 0, 0, 0, 0, 24, ProtocolICMPv6, HopLimit),
		bytes.Join([][]byte{host6.AsSlice(), host6.AsSlice(), {ICMPv6NA, 0, 0, 0, 0, 0, 0, 0}, host6.AsSlice()}, nil)...))
	f.Fuzz(func(t *testing.T, frame []byte) {
		for _, addr := range []netip.Addr{host4, host6} {
			if Answers(frame, addr) && !bytes.Contains(frame, addr.AsSlice()) {
				t.Errorf("taken for an answer of %v: % x", addr, frame)
			}
		}
	})
}

func TestAnswers(t *testing.T) {
	four, six := netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("2001:db8::9")
	reply, err4 := GratuitousARP(MAC{2}, four, ARPReply)
	request := WhoHas(MAC{2}, four, four)
	na, err6 := UnsolicitedNA(MAC{2}, six, false)
	if err := errors.Join(err4, err6); err != nil {
		t.Fatal(err)
	}
	forwarded := append([]byte(nil), na...)
	forwarded[EthernetLen+7]--
	tests := []struct {
		name  string
		frame []byte
		addr  netip.Addr
		want  bool
	}{
		{"reply", reply, four, true},
		{"request", request, four, false},
		{"of another", reply, netip.MustParseAddr("10.0.0.8"), false},
		{"advertisement", na, six, true},
		{"of another, IPv6", na, netip.MustParseAddr("2001:db8::8"), false},
		{"forwarded", forwarded, six, false},
		{"another family", reply, six, false},
		{"and back", na, four, false},
	}
	for _, tt := range tests {
		if got := Answers(tt.frame, tt.addr); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
		for i := range tt.frame[:len(tt.frame)-1] {
			Answers(tt.frame[:i], tt.addr) // must not panic
		}
	}
}
