package vrrp

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A vector is a file of testdata/advert: lines with the IP header, lines of
// hexadecimal bytes, and what decoding must say. "oneway" marks messages that
// we accept but would send differently.
type vector struct {
	packet Packet
	want   string
	oneway bool
}

func readVector(t testing.TB, file string) vector {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v vector
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		var err error
		switch word {
		case "":
		case "source":
			v.packet.Source, err = netip.ParseAddr(rest)
		case "destination":
			v.packet.Destination, err = netip.ParseAddr(rest)
		case "hoplimit":
			var n uint64
			n, err = strconv.ParseUint(rest, 10, 8)
			v.packet.HopLimit = uint8(n)
		case "want":
			v.want = rest
		case "oneway":
			v.oneway = true
		default:
			var b []byte
			b, err = hex.DecodeString(strings.ReplaceAll(word+rest, " ", ""))
			v.packet.Payload = append(v.packet.Payload, b...)
		}
		if err != nil {
			t.Fatalf("%s:%d: %v", file, n, err)
		}
	}
	return v
}

func vectors(t testing.TB) map[string]vector {
	t.Helper()
	files, err := filepath.Glob("testdata/advert/*.hex")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test vectors: %v", err)
	}
	all := make(map[string]vector)
	for _, f := range files {
		all[strings.TrimSuffix(filepath.Base(f), ".hex")] = readVector(t, f)
	}
	return all
}

// describe says in the words of the test vectors what Decode made of p.
func describe(p Packet, a *Advert, d Drop) string {
	if d != DropNone {
		return "drop " + d.String()
	}
	var list []string
	for _, addr := range a.Addresses {
		list = append(list, addr.String())
	}
	form := ""
	if a.Version == 3 {
		form = "checksum=pseudo "
		if a.Checksum == ChecksumRFC9568 {
			form = "checksum=rfc9568 "
		}
	}
	kind := ""
	if a.Backup {
		kind = "backup "
	}
	return kind + fmt.Sprintf("version=%d vrid=%d priority=%d interval=%v auth=%d %saddresses=%s",
		a.Version, a.VRID, a.Priority, a.Interval, a.AuthType, form, strings.Join(list, ","))
}

func TestDecodeVectors(t *testing.T) {
	for name, v := range vectors(t) {
		t.Run(name, func(t *testing.T) {
			var a Advert
			drop := Decode(v.packet, &a)
			if got := describe(v.packet, &a, drop); got != v.want {
				t.Errorf("decoded as\n%s, want\n%s", got, v.want)
			}
		})
	}
}

// What other implementations send, we send bit by bit the same.
func TestAppendVectors(t *testing.T) {
	for name, v := range vectors(t) {
		if v.oneway || strings.HasPrefix(v.want, "drop") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var a Advert
			if drop := Decode(v.packet, &a); drop != DropNone {
				t.Fatalf("dropped: %v", drop)
			}
			before := []byte("kept")
			got := a.Append(before, v.packet.Source, v.packet.Destination, a.Checksum)
			if diff := cmp.Diff(append(before, v.packet.Payload...), got); diff != "" {
				t.Errorf("appended (-want +got):\n%s", diff)
			}
		})
	}
}

// addresses returns n addresses of a family.
func addresses(f Family, n int) []netip.Addr {
	addr := netip.MustParseAddr("10.1.0.1")
	if f == IPv6 {
		addr = netip.MustParseAddr("fe80::1:1")
	}
	var list []netip.Addr
	for range n {
		list = append(list, addr)
		addr = addr.Next()
	}
	return list
}

// sourceOf returns a source address of a family.
func sourceOf(f Family) netip.Addr {
	if f == IPv4 {
		return netip.MustParseAddr("192.0.2.1")
	}
	return netip.MustParseAddr("fe80::1")
}

func TestRoundTrip(t *testing.T) {
	for _, form := range []struct {
		version    uint8
		family     Family
		send, want Checksum
		interval   []time.Duration
	}{
		{2, IPv4, ChecksumRFC9568, ChecksumRFC9568, []time.Duration{time.Second, MaxIntervalV2}},
		{2, IPv4, ChecksumPseudo, ChecksumRFC9568, []time.Duration{time.Second}}, // one form only
		{3, IPv4, ChecksumPseudo, ChecksumPseudo, []time.Duration{MinIntervalV3, 2550 * time.Millisecond, 2560 * time.Millisecond, MaxIntervalV3}},
		{3, IPv4, ChecksumRFC9568, ChecksumRFC9568, []time.Duration{MinIntervalV3, MaxIntervalV3}},
		{3, IPv6, ChecksumRFC9568, ChecksumPseudo, []time.Duration{time.Second}}, // one form only
		{3, IPv6, ChecksumPseudo, ChecksumPseudo, []time.Duration{MinIntervalV3, MaxIntervalV3}},
	} {
		for _, interval := range form.interval {
			for _, n := range []int{1, 2, 20, MaxAddresses} {
				name := fmt.Sprintf("v%d %v checksum %d %v %d addresses", form.version, form.family, form.send, interval, n)
				t.Run(name, func(t *testing.T) {
					want := Advert{
						Version: form.version, VRID: 200, Priority: 7, Interval: interval,
						Addresses: addresses(form.family, n), Checksum: form.want,
					}
					src, dst := sourceOf(form.family), form.family.MulticastGroup()
					b := want.Append(nil, src, dst, form.send)
					if len(b) > MaxMessageLen {
						t.Errorf("message has %d bytes, more than MaxMessageLen", len(b))
					}
					var got Advert
					if drop := Decode(Packet{src, dst, HopLimit, b}, &got); drop != DropNone {
						t.Fatalf("dropped: %v", drop)
					}
					if diff := cmp.Diff(want, got, addrs); diff != "" {
						t.Errorf("decoded (-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

// An Advert is reused from packet to packet: nothing of the last one remains.
func TestDecodeReuse(t *testing.T) {
	all := vectors(t)
	var a Advert
	for _, name := range []string{"keepalived-v2-pass", "keepalived-v3-ipv6", "v3-rfc9568", "frr-v3-ipv4", "frr-v2"} {
		v := all[name]
		drop := Decode(v.packet, &a)
		if got := describe(v.packet, &a, drop); got != v.want {
			t.Errorf("%s decoded as\n%s, want\n%s", name, got, v.want)
		}
	}
}

// The carry of a fold can carry once more.
func TestFold(t *testing.T) {
	for _, test := range []struct {
		acc  uint32
		want uint16
	}{{0, 0}, {0xffff, 0xffff}, {0x10000, 1}, {0x1ffff, 1}, {0xfffff, 15}} {
		if got := fold(test.acc); got != test.want {
			t.Errorf("fold(%#x) = %#x, want %#x", test.acc, got, test.want)
		}
	}
}

var addrs = cmpopts.EquateComparable(netip.Addr{})

// A message that fails every check is dropped for the first; each repaired in
// turn, for the next.
func TestDecodeOrder(t *testing.T) {
	src, dst := sourceOf(IPv4), IPv4.MulticastGroup()
	p := Packet{Source: src, Destination: dst, HopLimit: 1, Payload: []byte{0x4f, 10, 100, 2, 0, 0, 0xff, 0xff, 1, 1, 1, 1}}
	repair := []struct {
		want Drop
		do   func()
	}{
		{DropHopLimit, func() { p.HopLimit = 255 }},
		{DropVersion, func() { p.Payload[0] = 0x3f }},
		{DropType, func() { p.Payload[0] = 0x31 }},
		{DropLength, func() { p.Payload[3] = 0 }},
		{DropChecksum, func() {
			p.Payload = (&Advert{Version: 3, Addresses: addresses(IPv4, 1)}).Append(nil, src, dst, ChecksumPseudo)
		}},
		{DropInterval, func() {
			p.Payload = (&Advert{Version: 3, Addresses: addresses(IPv4, 1), Interval: time.Second}).Append(nil, src, dst, ChecksumPseudo)
		}},
	}
	var a Advert
	for _, r := range repair {
		if got := Decode(p, &a); got != r.want {
			t.Fatalf("dropped for %q, want %q", got, r.want)
		}
		r.do()
	}
	if got := Decode(p, &a); got != DropNone {
		t.Errorf("dropped for %q when all is repaired", got)
	}
}

func TestAdmit(t *testing.T) {
	own := netip.MustParseAddr("192.0.2.9")
	list := addresses(IPv4, 3)
	swapped := []netip.Addr{list[2], list[0], list[1]}
	other := []netip.Addr{list[0], list[1], netip.MustParseAddr("10.2.0.1")}
	repeated := []netip.Addr{list[0], list[1], list[1]}

	type input struct {
		cfg    Config
		advert Advert
		source netip.Addr
		to     netip.Addr // zero: the group
		ttl    uint8      // zero: 255
	}
	unicast := func(in *input, min, max uint8) {
		in.cfg.Unicast, in.to = true, own
		in.cfg.Peers = []PeerConfig{{in.source, min, max}}
	}
	tests := []struct {
		name    string
		version uint8
		change  func(*input)
		want    Drop
	}{
		{"v2 as configured", 2, func(*input) {}, DropNone},
		{"v3 as configured", 3, func(*input) {}, DropNone},
		{"v2 heard by v3", 2, func(in *input) { in.cfg.Version = 3 }, DropVersion},
		{"v3 heard by v2", 3, func(in *input) { in.cfg.Version = 2 }, DropVersion},
		{"from our own address", 3, func(in *input) { in.source = own }, DropOwnAddress},
		{"other VRID", 3, func(in *input) { in.advert.VRID = 11 }, DropVRID},
		{"other family", 3, func(in *input) { in.source = sourceOf(IPv6) }, DropVRID},
		{"v2 owner", 2, func(in *input) { in.cfg.Priority = 255 }, DropOwner},
		{"v2 owner hears another", 2, func(in *input) { in.cfg.Priority, in.advert.Priority = 255, 255 }, DropNone},
		{"from a peer", 3, func(in *input) {
			in.cfg.Peers = []PeerConfig{{Address: own}, {Address: in.source}}
		}, DropNone},
		{"from no peer", 3, func(in *input) { in.cfg.Peers = []PeerConfig{{Address: own}} }, DropPeer},
		{"unicast", 3, func(in *input) { unicast(in, 0, 0) }, DropNone},
		{"unicast through a router", 3, func(in *input) { unicast(in, 0, 0); in.ttl = 254 }, DropHopLimit},
		{"unicast through routers that are known", 3, func(in *input) { unicast(in, 250, 254); in.ttl = 250 }, DropNone},
		{"unicast from too near", 3, func(in *input) { unicast(in, 250, 254) }, DropHopLimit},
		{"unicast from too far", 3, func(in *input) { unicast(in, 250, 254); in.ttl = 249 }, DropHopLimit},
		{"unicast from a stranger", 3, func(in *input) { unicast(in, 0, 0); in.source = own.Next() }, DropPeer},
		{"unicast without peers", 3, func(in *input) { unicast(in, 0, 0); in.cfg.Peers = nil }, DropPeer},
		{"unicast to one who wants multicast", 3, func(in *input) { in.to = own }, DropDestination},
		{"multicast to one who wants unicast", 3, func(in *input) { unicast(in, 0, 0); in.to = IPv4.MulticastGroup() }, DropDestination},
		{"v3 without addresses, and we have some", 3, func(in *input) { in.advert.Addresses = nil }, DropCount},
		{"v3 without addresses, as we", 3, func(in *input) { in.advert.Addresses, in.cfg.Addresses = nil, nil }, DropNone},
		{"v3 with addresses, and we have none", 3, func(in *input) { in.cfg.Addresses = nil }, DropNone},
		{"v3 with addresses, and we want none", 3, func(in *input) {
			in.cfg.AddressCheck, in.cfg.Addresses = AddressDrop, nil
		}, DropAddresses},
		{"v2 without addresses, as we", 2, func(in *input) { in.advert.Addresses, in.cfg.Addresses = nil, nil }, DropNone},
		{"own group", 3, func(in *input) {
			in.cfg.Multicast = netip.MustParseAddr("224.0.0.77")
			in.to = in.cfg.Multicast
		}, DropNone},
		{"to the usual group, and ours is another", 3, func(in *input) {
			in.cfg.Multicast = netip.MustParseAddr("224.0.0.77")
		}, DropDestination},
		{"to another group", 3, func(in *input) { in.to = netip.MustParseAddr("224.0.0.77") }, DropDestination},
		{"v3 owner, erratum 8298", 3, func(in *input) { in.cfg.Priority = 255 }, DropNone},
		{"v2 simple password", 2, func(in *input) { in.advert.AuthType = 1 }, DropAuthType},
		{"v2 authentication header", 2, func(in *input) { in.advert.AuthType = 2 }, DropAuthType},
		{"v2 other interval", 2, func(in *input) { in.advert.Interval = 2 * time.Second }, DropInterval},
		{"v3 other interval", 3, func(in *input) { in.advert.Interval = 2 * time.Second }, DropNone},
		{"other addresses counted", 3, func(in *input) { in.advert.Addresses = other }, DropNone},
		{"other order", 3, func(in *input) {
			in.cfg.AddressCheck, in.advert.Addresses = AddressDrop, swapped
		}, DropNone},
		{"other address", 3, func(in *input) {
			in.cfg.AddressCheck, in.advert.Addresses = AddressDrop, other
		}, DropAddresses},
		{"repeated address", 3, func(in *input) {
			in.cfg.AddressCheck, in.advert.Addresses = AddressDrop, repeated
		}, DropAddresses},
		{"address missing", 2, func(in *input) {
			in.cfg.AddressCheck, in.advert.Addresses = AddressDrop, list[:2]
		}, DropAddresses},
		{"address added", 3, func(in *input) {
			in.cfg.AddressCheck, in.cfg.Addresses = AddressDrop, list[:2]
		}, DropAddresses},
		{"other address, from the owner", 3, func(in *input) {
			in.cfg.AddressCheck, in.advert.Addresses, in.advert.Priority = AddressDrop, other, 255
		}, DropNone},
		{"address list before interval", 2, func(in *input) {
			in.cfg.AddressCheck, in.advert.Addresses, in.advert.Interval = AddressDrop, other, 2*time.Second
		}, DropAddresses},
		{"VRID before owner", 2, func(in *input) { in.cfg.Priority, in.advert.VRID = 255, 11 }, DropVRID},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := input{
				cfg: Config{Version: test.version, Family: IPv4, VRID: 10, Priority: 100,
					Interval: time.Second, Addresses: list},
				advert: Advert{Version: test.version, VRID: 10, Priority: 150,
					Interval: time.Second, Addresses: list},
				source: sourceOf(IPv4),
			}
			test.change(&in)
			p := Packet{Source: in.source, Destination: IPv4.MulticastGroup(), HopLimit: HopLimit}
			if in.to.IsValid() {
				p.Destination = in.to
			}
			if in.ttl != 0 {
				p.HopLimit = in.ttl
			}
			if got := in.cfg.Admit(p, own, &in.advert); got != test.want {
				t.Errorf("dropped for %q, want %q", got, test.want)
			}
		})
	}
}

func TestSameAddresses(t *testing.T) {
	list := addresses(IPv6, 3)
	c := Config{Addresses: list}
	for _, test := range []struct {
		name string
		list []netip.Addr
		want bool
	}{
		{"same", list, true},
		{"other order", []netip.Addr{list[1], list[2], list[0]}, true},
		{"fewer", list[:2], false},
		{"none", nil, false},
		{"more", addresses(IPv6, 4), false},
	} {
		if got := c.SameAddresses(&Advert{Addresses: test.list}); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestPeek(t *testing.T) {
	for _, test := range []struct {
		payload       []byte
		version, vrid uint8
		ok            bool
	}{
		{nil, 0, 0, false},
		{[]byte{0x31}, 0, 0, false},
		{[]byte{0x31, 51}, 3, 51, true},
		{[]byte{0x2f, 255, 1, 2, 3}, 2, 255, true},
	} {
		version, vrid, ok := Peek(test.payload)
		if version != test.version || vrid != test.vrid || ok != test.ok {
			t.Errorf("Peek(%x) = %d, %d, %v", test.payload, version, vrid, ok)
		}
	}
}

// Names are metric labels: every drop has one of its own.
func TestDropNames(t *testing.T) {
	seen := map[string]Drop{}
	for d := DropNone; int(d) < NumDrops; d++ {
		name := d.String()
		if other, twice := seen[name]; twice {
			t.Errorf("%d and %d are both %q", d, other, name)
		}
		if (name == "") != (d == DropNone) {
			t.Errorf("drop %d is named %q", d, name)
		}
		seen[name] = d
	}
	text, err := json.Marshal(map[Drop]int{DropOwnAddress: 3})
	if got, want := string(text), `{"own_address":3}`; err != nil || got != want {
		t.Errorf("as JSON %s (%v), want %s", got, err, want)
	}
}

// The wire path allocates nothing.
func TestAllocations(t *testing.T) {
	for _, f := range []Family{IPv4, IPv6} {
		a := Advert{Version: 3, VRID: 1, Priority: 100, Interval: time.Second, Addresses: addresses(f, 20)}
		cfg := Config{Version: 3, Family: f, VRID: 1, Priority: 90, Addresses: a.Addresses, AddressCheck: AddressDrop}
		buf := make([]byte, 0, MaxMessageLen)
		src, dst := sourceOf(f), f.MulticastGroup()
		if n := testing.AllocsPerRun(100, func() { a.Append(buf, src, dst, ChecksumPseudo) }); n != 0 {
			t.Errorf("%v: Append allocates %v times", f, n)
		}
		p := Packet{src, dst, HopLimit, a.Append(buf, src, dst, ChecksumPseudo)}
		got := Advert{Addresses: make([]netip.Addr, 0, MaxAddresses)}
		drop := DropNone
		n := testing.AllocsPerRun(100, func() {
			if drop = Decode(p, &got); drop == DropNone {
				drop = cfg.Admit(p, netip.Addr{}, &got)
			}
		})
		if n != 0 || drop != DropNone {
			t.Errorf("%v: Decode and Admit allocate %v times, drop %q", f, n, drop)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	a := Advert{Version: 3, VRID: 1, Priority: 100, Interval: time.Second, Addresses: addresses(IPv4, 1)}
	src, dst := sourceOf(IPv4), IPv4.MulticastGroup()
	p := Packet{src, dst, HopLimit, a.Append(nil, src, dst, ChecksumPseudo)}
	for b.Loop() {
		if drop := Decode(p, &a); drop != DropNone {
			b.Fatal(drop)
		}
	}
}
