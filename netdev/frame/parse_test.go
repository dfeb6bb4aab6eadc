package frame

import (
	"bytes"
	"testing"
)

// FuzzParseIPv4AH throws arbitrary packets at what takes an authentication header
// off: what it hands out lies within the packet.
func FuzzParseIPv4AH(f *testing.F) {
	good := append([]byte{0x45, 0xc0, 0, 56, 0, 1, 0, 0, 255, 51, 0, 0, 10, 0, 0, 1, 224, 0, 0, 18, 112, 4, 0, 0, 10, 0, 0, 1, 0, 0, 0, 1},
		make([]byte, 24)...)
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := ParseIPv4AH(b)
		if !ok {
			return
		}
		if len(p.Datagram) > len(b) || !bytes.HasSuffix(p.Datagram, p.Payload) || len(p.Payload) > len(p.Datagram)-IPv4Len-ahFixedLen {
			t.Errorf("datagram of %d and payload of %d bytes in %d", len(p.Datagram), len(p.Payload), len(b))
		}
	})
}

func TestParseIPv4AH(t *testing.T) {
	good := append([]byte{0x45, 0xc0, 0, 60, 0, 1, 0, 0, 255, 51, 0, 0, 10, 0, 0, 1, 224, 0, 0, 18,
		112, 4, 0, 0, 10, 0, 0, 1, 0, 0, 0, 1}, bytes.Repeat([]byte{7}, 12)...)
	good = append(good, 0x21, 51, 100, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 99, 99) // and padding of the frame
	p, ok := ParseIPv4AH(good)
	if !ok || len(p.Payload) != 16 || p.Payload[1] != 51 || len(p.Datagram) != 60 || p.HopLimit != 255 {
		t.Errorf("parsed %+v, %v", p, ok)
	}
	for name, change := range map[string]func(b []byte){
		"other payload":        func(b []byte) { b[20] = 6 },
		"header beyond packet": func(b []byte) { b[21] = 200 },
		"header too short":     func(b []byte) { b[21] = 0 },
		"no AH":                func(b []byte) { b[9] = 112 },
	} {
		b := bytes.Clone(good)
		if change(b); func() bool { _, ok := ParseIPv4AH(b); return ok }() {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParseIPv4(f *testing.F) {
	f.Add([]byte("\x45\xc0\x00\x1c\x00\x01\x00\x00\xff\x70\x00\x00\x0a\x00\x00\x01\xe0\x00\x00\x12message!"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		if p, ok := ParseIPv4(packet); ok && (len(p.Payload) > len(packet)-IPv4Len || !p.Source.Is4()) {
			t.Errorf("payload of %d bytes out of %d", len(p.Payload), len(packet))
		}
	})
}

func TestParseIPv4(t *testing.T) {
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
			p, ok := ParseIPv4([]byte(c.packet))
			if ok != c.ok {
				t.Fatalf("ok = %v", ok)
			}
			if ok && (string(p.Payload) != "message!" || p.Source.String() != "10.0.0.1" || p.Destination != group4 || p.HopLimit != 255) {
				t.Errorf("%+v %q", p, p.Payload)
			}
		})
	}
}

func TestParseFrameRefuses(t *testing.T) {
	for _, b := range [][]byte{nil, make([]byte, 13), make([]byte, EthernetLen), make([]byte, 60)} {
		for _, ipv6 := range []bool{false, true} {
			if p, _, ok := ParseFrame(b, ipv6); ok {
				t.Errorf("%d bytes, IPv6 %v: from %v", len(b), ipv6, p.Source)
			}
		}
	}
}
