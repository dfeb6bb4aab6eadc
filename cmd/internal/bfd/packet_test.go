package bfd

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The layout of RFC 5880 §4.1, byte by byte.
func TestLayout(t *testing.T) {
	tests := []struct {
		name   string
		bytes  string
		packet Packet
	}{
		{"down", "20 40 03 18  00000001 00000000  000f4240 000493e0 00000000", Packet{
			State: Down, Multiplier: 3, Mine: 1, MinTx: time.Second, MinRx: 300 * time.Millisecond,
		}},
		{"up with poll", "20 e0 05 18  deadbeef 01020304  00002710 00002710 00000000", Packet{
			State: Up, Poll: true, Multiplier: 5, Mine: 0xdeadbeef, Yours: 0x01020304, MinTx: 10 * time.Millisecond, MinRx: 10 * time.Millisecond,
		}},
		{"init with final, demand, echo and a diagnostic", "23 92 ff 18  00000002 00000001  ffffffff 00000000 000000ff", Packet{
			Diag: DiagNeighbourDown, State: Init, Final: true, Demand: true, Multiplier: 255, Mine: 2, Yours: 1,
			MinTx: MaxInterval, MinEchoRx: 255 * time.Microsecond,
		}},
		{"admin down", "27 00 01 18  00000003 00000000  000f4240 00000001 00000000", Packet{
			Diag: DiagAdminDown, State: AdminDown, Multiplier: 1, Mine: 3, MinTx: time.Second, MinRx: time.Microsecond,
		}},
	}
	for _, tt := range tests {
		want := unhex(t, tt.bytes)
		if got := tt.packet.Append(nil); !cmp.Equal(got, want) {
			t.Errorf("%s: sent as % x, want % x", tt.name, got, want)
		}
		var p Packet
		if drop := Decode(append(want, 0xff), &p); drop != DropNone { // bytes after it are nobody's matter
			t.Errorf("%s: dropped: %v", tt.name, drop)
		}
		if diff := cmp.Diff(tt.packet, p); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestDecodeDrops(t *testing.T) {
	tests := []struct {
		bytes string
		want  Drop
	}{
		{"", DropLength},
		{"20 40 03 18  00000001 00000000  000f4240 000493e0 000000", DropLength},
		{"20 40 03 17  00000001 00000000  000f4240 000493e0 00000000", DropLength},
		{"20 40 03 19  00000001 00000000  000f4240 000493e0 00000000", DropLength},
		{"20 44 03 18  00000001 00000000  000f4240 000493e0 00000000", DropLength},
		{"00 40 03 18  00000001 00000000  000f4240 000493e0 00000000", DropVersion},
		{"40 40 03 18  00000001 00000000  000f4240 000493e0 00000000", DropVersion},
		{"20 40 00 18  00000001 00000000  000f4240 000493e0 00000000", DropMultiplier},
		{"20 41 03 18  00000001 00000000  000f4240 000493e0 00000000", DropMultipoint},
		{"20 40 03 18  00000000 00000000  000f4240 000493e0 00000000", DropMyDiscriminator},
		{"20 80 03 18  00000001 00000000  000f4240 000493e0 00000000", DropYourDiscriminator},
		{"20 c0 03 18  00000001 00000000  000f4240 000493e0 00000000", DropYourDiscriminator},
		{"20 44 03 1a  00000001 00000000  000f4240 000493e0 00000000 0102", DropAuth},
	}
	for _, tt := range tests {
		var p Packet
		if got := Decode(unhex(t, tt.bytes), &p); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.bytes, got, tt.want)
		}
	}
}

func TestDropNames(t *testing.T) {
	seen := map[string]bool{}
	for d := range NumDrops {
		name := Drop(d).String()
		if (name == "") != (d == int(DropNone)) || seen[name] {
			t.Errorf("drop %d is called %q", d, name)
		}
		seen[name] = true
	}
}

// FuzzDecode throws arbitrary payloads at Decode. What it accepts must keep its
// promises, and sending it must say the same again.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		"", "20 40 03 18  00000001 00000000  000f4240 000493e0 00000000", "20 e0 05 18  deadbeef 01020304  00002710 00002710 00000000",
		"20 44 03 1a  00000001 00000000  000f4240 000493e0 00000000 0102", "23 92 ff 18  00000002 00000001  ffffffff 00000000 000000ff 55",
	} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, again Packet
		if drop := Decode(b, &p); drop != DropNone {
			if int(drop) >= NumDrops || drop.String() == "" {
				t.Errorf("drop without a name: %d", drop)
			}
			return
		}
		if p.Multiplier == 0 || p.Mine == 0 || p.State > Up || max(p.MinTx, p.MinRx, p.MinEchoRx) > MaxInterval ||
			p.Yours == 0 && p.State > Down {
			t.Errorf("accepted %+v", p)
		}
		if drop := Decode(p.Append(nil), &again); drop != DropNone || again != p {
			t.Errorf("sent again %+v is %+v (%v)", p, again, drop)
		}
	})
}
