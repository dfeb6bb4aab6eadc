package ipvs

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink/nl"

	"holdfast/lvs"
)

// bytesOf reads a file of hexadecimal digits and comments.
func bytesOf(t testing.TB, name string) []byte {
	t.Helper()
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the files are little-endian") //nolint:forbidigo // no capability makes another machine of it
	}
	file, err := os.ReadFile("testdata/" + name + ".hex")
	if err != nil {
		t.Fatal(err)
	}
	var digits strings.Builder
	for line := range strings.Lines(string(file)) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return b
}

func TestEncode(t *testing.T) {
	gue := lvs.Server{
		Address: ap("[fd00::11]:80"), Forward: lvs.TUN, Weight: 2, Upper: 9, Lower: 3,
		Tunnel: lvs.Tunnel{Type: lvs.GUE, Port: 6080, Checksum: true},
	}
	master := lvs.SyncDaemon{
		Role: lvs.SyncMaster, Interface: "sync0", ID: 42, MaxLen: 1000,
		Group: netip.MustParseAddr("224.0.0.81"), Port: 8848, TTL: 1,
	}
	for _, tt := range []struct {
		file string
		got  *nl.RtAttr
	}{
		{"request-key4", encodeKey(tcp("10.0.0.1:80").Key)},
		{"request-mark6", encodeKey(lvs.Key{Mark: 7, IPv6: true})},
		{"request-server6", encodeServer(gue, true)},
		{"request-server-delete", encodeServer(nat("192.168.0.11:80", 5), false)},
		{"request-daemon4", encodeDaemon(master, true)},
		{"request-daemon-stop", encodeDaemon(lvs.SyncDaemon{Role: lvs.SyncBackup}, false)},
	} {
		if diff := cmp.Diff(hex.Dump(bytesOf(t, tt.file)), hex.Dump(tt.got.Serialize())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.file, diff)
		}
	}
}

func TestServersWithoutTunnelAreForEveryKernel(t *testing.T) {
	b := encodeServer(nat("192.168.0.11:80", 5), true).Serialize()
	err := walk(b[4:], func(kind uint16, _ []byte) error {
		if kind >= destTunnelType {
			t.Errorf("attribute %d is sent, which kernels before 5.2 refuse", kind)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDecode(t *testing.T) {
	sticky := tcp("10.0.0.1:80")
	sticky.Scheduler, sticky.Flags, sticky.Persistence, sticky.PersistPrefix = "mh", lvs.FlagSched2, 300*time.Second, 24
	sip := lvs.Service{
		Key: lvs.Key{Protocol: lvs.UDP, Address: ap("[2001:db8::1]:5060")}, Scheduler: "rr",
		Persistence: time.Minute, PersistPrefix: 64, PersistEngine: "sip",
	}
	for file, want := range map[string]lvs.Service{
		"service-tcp4": sticky.Canonical(),
		"service-udp6": sip.Canonical(),
		"service-mark": lvs.Service{Key: lvs.Key{Mark: 7}, Scheduler: "wlc"}.Canonical(),
	} {
		got, err := decode(bytesOf(t, file), attrService, decodeService)
		if err != nil || got.Service != want {
			t.Errorf("%s:\n%+v, %v\nwant\n%+v", file, got.Service, err, want)
		}
	}
	for file, want := range map[string]lvs.Server{
		"server-nat4": {Address: ap("192.168.0.11:8080"), Weight: 70000, Upper: 9, Lower: 3},
		"server-gue6": {Address: ap("[fd00::11]:80"), Forward: lvs.TUN, Weight: 2, Tunnel: lvs.Tunnel{Type: lvs.GUE, Port: 6080, Checksum: true}},
	} {
		got, err := decode(bytesOf(t, file), attrDest, func(b []byte) (lvs.ServerUsage, error) { return decodeServer(b, false) })
		if err != nil || got.Server != want {
			t.Errorf("%s:\n%+v, %v\nwant\n%+v", file, got.Server, err, want)
		}
	}
	want := lvs.SyncDaemon{
		Role: lvs.SyncBackup, Interface: "sync0", ID: 42, MaxLen: 1472,
		Group: netip.MustParseAddr("224.0.0.81"), Port: 8848, TTL: 1,
	}
	if got, err := decode(bytesOf(t, "daemon-backup"), attrDaemon, decodeDaemon); err != nil || got != want {
		t.Errorf("daemon: %+v, %v; want %+v", got, err, want)
	}
}

// Each counter is decoded with all 64 bits.
func TestDecodeStats(t *testing.T) {
	var b []byte
	for i := range 10 {
		b = append(b, nl.NewRtAttr(11, nil).Serialize()...) // padding comes before each
		b = append(b, nl.NewRtAttr(i+1, nl.Uint64Attr(math.MaxUint32+uint64(i))).Serialize()...)
	}
	const base = math.MaxUint32
	want := lvs.Counters{
		Connections: base, PacketsIn: base + 1, PacketsOut: base + 2, BytesIn: base + 3, BytesOut: base + 4,
		Rates: &lvs.Rates{ConnectionRate: base + 5, PacketInRate: base + 6, PacketOutRate: base + 7, ByteInRate: base + 8, ByteOutRate: base + 9},
	}
	got, err := decodeStats(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNetmaskAndPrefixAreInverse(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		longest := 32
		if v6 {
			longest = 128
		}
		for length := 1; length <= longest; length++ {
			if got, err := prefix(netmask(length, v6), v6); err != nil || got != length {
				t.Errorf("/%d (IPv6 %v) comes back as /%d, %v", length, v6, got, err)
			}
		}
	}
	if got, want := netmask(20, false), []byte{255, 255, 240, 0}; !cmp.Equal(got, want) {
		t.Errorf("/20 is sent as % x, want % x", got, want)
	}
}

func TestMalformedAnswersAreErrors(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":              {},
		"no attribute":       {1, 1, 0, 0},
		"half an attribute":  {1, 1, 0, 0, 8, 0},
		"too long":           {1, 1, 0, 0, 200, 0, 1, 0, 0, 0, 0, 0},
		"shorter than known": {1, 1, 0, 0, 2, 0, 1, 0},
		"another attribute":  {1, 1, 0, 0, 8, 0, 9, 0, 0, 0, 0, 0},
	} {
		if _, err := decode(b, attrService, decodeService); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// No input makes a decoder panic, and every decoded service or server has a valid
// address.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"service-tcp4", "service-udp6", "service-mark", "server-nat4", "server-gue6", "daemon-backup"} {
		f.Add(bytesOf(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if u, err := decode(b, attrService, decodeService); err == nil && u.Service.Key.Mark == 0 && !u.Service.Key.Address.IsValid() {
			t.Errorf("a service without an address: %+v", u)
		}
		for _, v6 := range []bool{false, true} {
			u, err := decode(b, attrDest, func(b []byte) (lvs.ServerUsage, error) { return decodeServer(b, v6) })
			if err == nil && !u.Server.Address.IsValid() {
				t.Errorf("a server without an address: %+v", u)
			}
		}
		_, _ = decode(b, attrDaemon, decodeDaemon)
	})
}
