package netdev

import (
	"bytes"
	"net/netip"
	"testing"
)

// FuzzAnswers throws arbitrary frames at what looks for the answer of a
// neighbour: it takes none for it that does not carry the address.
func FuzzAnswers(f *testing.F) {
	host4, host6 := netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("fe80::9")
	mac := MAC{2, 0, 0, 0, 0, 9}
	reply := arpRequest(mac, host4, netip.MustParseAddr("10.0.0.1"))
	reply[etherLen+7] = byte(ARPReply)
	f.Add(reply)
	f.Add(solicit(mac, host6, host6))
	f.Add(append(append(etherHeader(mac, mac, 0x86dd), 0x60, 0, 0, 0, 0, 24, protocolICMPv6, hopLimit),
		bytes.Join([][]byte{host6.AsSlice(), host6.AsSlice(), {icmpNA, 0, 0, 0, 0, 0, 0, 0}, host6.AsSlice()}, nil)...))
	f.Fuzz(func(t *testing.T, frame []byte) {
		for _, addr := range []netip.Addr{host4, host6} {
			if answers(frame, addr) && !bytes.Contains(frame, addr.AsSlice()) {
				t.Errorf("taken for an answer of %v: % x", addr, frame)
			}
		}
	})
}
