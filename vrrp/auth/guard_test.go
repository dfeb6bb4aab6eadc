package auth

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
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

// Wire images with the key 00 01 02 … and the sequence 68000000 8000 0000. The
// first two are those of the appendix of the draft that keepalived follows, the
// others were computed with Python's hmac.
var images = []struct {
	name                string
	source, destination string
	key                 Key
	advert              vrrp.Advert
	form                vrrp.Checksum
	image               string
}{
	{"v3 IPv4", "198.51.100.10", "224.0.0.18", Key{1, counting(32)},
		vrrp.Advert{Version: 3, VRID: 51, Priority: 200, Interval: time.Second, Addresses: list("192.0.2.100")}, vrrp.ChecksumRFC9568,
		"3133c80100644402c0000264 010100006800000080000000 1b84bc4e8e43892dc6d98448f8ee2265"},
	{"v3 IPv6 unicast", "fe80::10", "fe80::20", Key{1, counting(32)},
		vrrp.Advert{Version: 3, VRID: 51, Priority: 200, Interval: time.Second, Addresses: list("fe80::100")}, vrrp.ChecksumPseudo,
		"3133c8010064a2e9fe800000000000000000000000000100 010100006800000080000000 c8c56146ebfd66ee10ec4d8186461b78"},
	{"v2", "192.0.2.1", "224.0.0.18", Key{7, counting(64)},
		vrrp.Advert{Version: 2, VRID: 10, Priority: 100, Interval: 2 * time.Second, Addresses: list("192.0.2.100")}, vrrp.ChecksumRFC9568,
		"210a64010002b88dc00002640000000000000000 010700006800000080000000 447b47e2f2c171a74de144a1ba280824"},
	{"v3 IPv6 multicast", "fe80::1", "ff02::12", Key{7, counting(64)},
		vrrp.Advert{Version: 3, VRID: 10, Priority: 100, Interval: time.Second, Addresses: list("fe80::100")}, vrrp.ChecksumPseudo,
		"310a64010064f5a5fe800000000000000000000000000100 010700006800000080000000 464e22c85024440d6f9cb93095fed212"},
}

func list(addresses ...string) []netip.Addr {
	var l []netip.Addr
	for _, a := range addresses {
		l = append(l, netip.MustParseAddr(a))
	}
	return l
}

// guarded returns a guard with the key for the messages of a.
func guarded(k Key, a *vrrp.Advert, change func(*Config)) *Guard {
	c := Config{Kind: HMAC, Keys: []Key{k}, Active: k.ID, Window: 5 * time.Second}
	if change != nil {
		change(&c)
	}
	return New(c, vrrp.FamilyOf(a.Addresses[0]), a.Version, a.VRID, nil)
}

func TestTrailerImages(t *testing.T) {
	for _, v := range images {
		t.Run(v.name, func(t *testing.T) {
			src, dst := netip.MustParseAddr(v.source), netip.MustParseAddr(v.destination)
			want := unhex(t, v.image)
			g := guarded(v.key, &v.advert, nil)
			a := v.advert
			got := g.Seal(a.Append(g.Begin(nil, at, src), src, dst, v.form), at, src)
			if !bytes.Equal(got, want) {
				t.Errorf("sealed\n%x, want\n%x", got, want)
			}
			p := vrrp.Packet{Source: src, Destination: dst, HopLimit: 255, Payload: want}
			if drop := vrrp.Decode(p, &a); drop != vrrp.DropNone {
				t.Errorf("decoding: dropped for %v", drop)
			}
			if drop := guarded(v.key, &v.advert, nil).Check(at, p, nil); drop != vrrp.DropNone {
				t.Errorf("dropped for %v", drop)
			}
		})
	}
}

// Whatever is changed on the way, but for the checksum, is found out.
func TestTrailerTampering(t *testing.T) {
	for _, v := range images {
		image := unhex(t, v.image)
		for i := range image {
			b := bytes.Clone(image)
			b[i] ^= 1
			p := vrrp.Packet{Source: netip.MustParseAddr(v.source), Payload: b}
			drop := guarded(v.key, &v.advert, nil).Check(at, p, nil)
			n := len(image) - vrrp.TrailerLen
			want := vrrp.DropAuth
			switch {
			case i == 6 || i == 7: // the checksum
				want = vrrp.DropNone
			case i == 3: // with another count of addresses the trailer is none
				want = vrrp.DropAuthMissing
			case i == 0 && drop == vrrp.DropAuthMissing: // nor with another version, which has another length
				want = vrrp.DropAuthMissing
			case i == n || i == n+2 || i == n+3:
				want = vrrp.DropAuthFormat
			case i == n+1:
				want = vrrp.DropAuthKey
			case i == n+4 || i == n+5 || i == n+6:
				want = vrrp.DropAuthStale
			}
			if drop != want {
				t.Errorf("%s: byte %d changed: dropped for %q, want %q", v.name, i, drop, want)
			}
		}
		p := vrrp.Packet{Source: netip.MustParseAddr(v.source).Next(), Payload: image}
		if drop := guarded(v.key, &v.advert, nil).Check(at, p, nil); drop != vrrp.DropAuth {
			t.Errorf("%s: from another source: dropped for %q", v.name, drop)
		}
		other := v.advert
		other.VRID++
		p.Source = netip.MustParseAddr(v.source)
		if drop := guarded(v.key, &other, nil).Check(at, p, nil); drop != vrrp.DropAuth {
			t.Errorf("%s: for another VRID: dropped for %q", v.name, drop)
		}
	}
}

// A message is good for its time window, and once.
func TestTrailerReplay(t *testing.T) {
	v := images[0]
	src := netip.MustParseAddr(v.source)
	p := vrrp.Packet{Source: src, Payload: unhex(t, v.image)}
	for _, c := range []struct {
		late time.Duration
		want vrrp.Drop
	}{{5 * time.Second, vrrp.DropNone}, {-5 * time.Second, vrrp.DropNone}, {6 * time.Second, vrrp.DropAuthStale}, {-6 * time.Second, vrrp.DropAuthStale}} {
		if drop := guarded(v.key, &v.advert, nil).Check(at.Add(c.late), p, nil); drop != c.want {
			t.Errorf("%v late: dropped for %q, want %q", c.late, drop, c.want)
		}
	}
	g := guarded(v.key, &v.advert, nil)
	if drop := g.Check(at, p, nil); drop != vrrp.DropNone {
		t.Fatalf("dropped for %q", drop)
	}
	if drop := g.Check(at, p, nil); drop != vrrp.DropReplay {
		t.Errorf("the second time: dropped for %q", drop)
	}
	changed := New(*g.Config(), vrrp.IPv4, 3, 51, g)
	if drop := changed.Check(at, p, nil); drop != vrrp.DropReplay {
		t.Errorf("after a change of the configuration: dropped for %q", drop)
	}
	// Without a window only growth counts.
	free := guarded(v.key, &v.advert, func(c *Config) { c.Window = 0 })
	if drop := free.Check(at.Add(time.Hour), p, nil); drop != vrrp.DropNone {
		t.Errorf("without a window: dropped for %q", drop)
	}
	if drop := free.Check(at.Add(time.Hour), p, nil); drop != vrrp.DropReplay {
		t.Errorf("without a window, the second time: dropped for %q", drop)
	}
}

// A message that one path brought is no good on another, but for a copy that comes at
// the same time: the two may be one LAN, or the sender has one address on both.
func TestTrailerReplayOnOtherPath(t *testing.T) {
	v := images[0]
	src := netip.MustParseAddr(v.source)
	message := unhex(t, v.image)[:12]
	sender := guarded(v.key, &v.advert, nil)
	seal := func(now time.Time) vrrp.Packet {
		return vrrp.Packet{Source: src, Payload: sender.Seal(bytes.Clone(message), now, src)}
	}
	paths := []*Guard{guarded(v.key, &v.advert, nil), guarded(v.key, &v.advert, nil)}
	for _, g := range paths {
		g.OnPaths(paths)
	}
	next := at.Add(time.Second)
	first, second, third, fourth := seal(at), seal(next), seal(next.Add(time.Second)), seal(next.Add(2*time.Second))
	for i, c := range []struct {
		path  int
		p     vrrp.Packet
		after time.Duration
		want  vrrp.Drop
	}{
		{0, first, 0, vrrp.DropNone},
		{1, first, vrrp.CopyWindow + 1, vrrp.DropReplay},
		{0, second, time.Second, vrrp.DropNone},
		{1, first, time.Second, vrrp.DropReplay}, // older than what came just now
		{1, second, time.Second + vrrp.CopyWindow, vrrp.DropNone},
		{1, second, time.Second + vrrp.CopyWindow, vrrp.DropReplay}, // once
		{1, third, 2 * time.Second, vrrp.DropNone},                  // the other path was first
		{0, third, 2*time.Second + 1, vrrp.DropNone},
		{1, fourth, 3 * time.Second, vrrp.DropNone},
		{0, fourth, 4 * time.Second, vrrp.DropReplay}, // the path that it was held back on
	} {
		if drop := paths[c.path].Check(at.Add(c.after), c.p, nil); drop != c.want {
			t.Errorf("%d: on path %d after %v: dropped for %q, want %q", i, c.path, c.after, drop, c.want)
		}
	}
	// The program after an upgrade knows what came by which path too.
	heirs := []*Guard{guarded(v.key, &v.advert, nil), guarded(v.key, &v.advert, nil)}
	for i, g := range heirs {
		g.Recall(Marks{Kind: HMAC, Senders: paths[i].Marks().Senders[:1-i]})
		g.OnPaths(heirs)
	}
	if drop := heirs[1].Check(at.Add(2*time.Second), third, nil); drop != vrrp.DropReplay {
		t.Errorf("after an upgrade: dropped for %q", drop)
	}
}

// Numbers grow also when the clock does not, and come back from a future that a
// clock set back has left.
func TestSequence(t *testing.T) {
	v := images[0]
	g := guarded(v.key, &v.advert, nil)
	first := g.next(at)
	if first != 0x6800000080000000 {
		t.Errorf("first %x", first)
	}
	if n := g.next(at); n != first+1 {
		t.Errorf("then %x", n)
	}
	if n := g.next(at.Add(-2 * time.Second)); n != first+2 {
		t.Errorf("with the clock set back a little %x", n)
	}
	if n := g.next(at.Add(-time.Hour)); n != sequenceOf(at.Add(-time.Hour)) {
		t.Errorf("with the clock set back far %x", n)
	}
	g = guarded(v.key, &v.advert, func(c *Config) { c.Window = 0 })
	g.next(at)
	if n := g.next(at.Add(-time.Hour)); n != first+1 {
		t.Errorf("without a window %x", n)
	}
}

func TestModes(t *testing.T) {
	v := images[0]
	src := netip.MustParseAddr(v.source)
	with := vrrp.Packet{Source: src, Payload: unhex(t, v.image)}
	without := with
	without.Payload = with.Payload[:len(with.Payload)-vrrp.TrailerLen]
	wrong := with
	wrong.Payload = bytes.Clone(with.Payload)
	wrong.Payload[len(wrong.Payload)-1] ^= 1
	for _, c := range []struct {
		mode    Mode
		seals   bool
		without vrrp.Drop
	}{{Enforce, true, vrrp.DropAuthMissing}, {Permissive, true, vrrp.DropNone}, {ReceiveOnly, false, vrrp.DropNone}} {
		g := guarded(v.key, &v.advert, func(cfg *Config) { cfg.Mode = c.mode })
		if sealed := len(g.Seal(without.Payload[:12:12], at, src)) > 12; sealed != c.seals || g.Fresh() != c.seals {
			t.Errorf("mode %d: seals %v, fresh %v", c.mode, sealed, g.Fresh())
		}
		if drop := g.Check(at, without, nil); drop != c.without {
			t.Errorf("mode %d, no trailer: dropped for %q", c.mode, drop)
		}
		if drop := g.Check(at, wrong, nil); drop != vrrp.DropAuth {
			t.Errorf("mode %d, wrong trailer: dropped for %q", c.mode, drop)
		}
		if drop := g.Check(at, with, nil); drop != vrrp.DropNone {
			t.Errorf("mode %d: dropped for %q", c.mode, drop)
		}
	}
}

// All keys are accepted, and the active one is used.
func TestKeys(t *testing.T) {
	v := images[0]
	src := netip.MustParseAddr(v.source)
	old, fresh := Key{1, counting(32)}, Key{2, counting(48)}
	message := unhex(t, v.image)[:12]
	for _, active := range []uint8{1, 2} {
		g := guarded(old, &v.advert, func(c *Config) { c.Keys, c.Active = []Key{old, fresh}, active })
		p := vrrp.Packet{Source: src, Payload: g.Seal(bytes.Clone(message), at, src)}
		if p.Payload[13] != active {
			t.Errorf("sealed with key %d", p.Payload[13])
		}
		both := guarded(old, &v.advert, func(c *Config) { c.Keys, c.Active = []Key{old, fresh}, 1 })
		if drop := both.Check(at, p, nil); drop != vrrp.DropNone {
			t.Errorf("key %d: dropped for %q", active, drop)
		}
	}
}

// keepalived 2.2.7 sent this with the password "secret".
const ahImage = "45c0004000010000ff33d0ad0a090001e0000012 700400000a0900010000000134e23a8c5e068820eaa8cc1f" +
	"2133640102016e5d0a0900640000000000000000"

func header() *Guard {
	return New(Config{Kind: Header, Secret: "secret"}, vrrp.IPv4, 2, 51, nil)
}

func TestHeaderImage(t *testing.T) {
	image := unhex(t, ahImage)
	if drop := header().Check(at, vrrp.Packet{}, image); drop != vrrp.DropNone {
		t.Errorf("dropped for %q", drop)
	}
	src := netip.MustParseAddr("10.9.0.1")
	g := header()
	early := time.Unix(1, 0) // keepalived begins with 1
	a := vrrp.Advert{Version: 2, VRID: 51, Priority: 100, Interval: time.Second, Addresses: list("10.9.0.100")}
	g.Mark(&a)
	packet := a.Append(g.Begin(bytes.Clone(image[:20]), early, src), src, vrrp.IPv4.MulticastGroup(), 0)
	g.Finish(packet)
	if !bytes.Equal(packet, image) {
		t.Errorf("made\n%x, want\n%x", packet, image)
	}
	// What routers may change does not count.
	for _, i := range []int{1, 6, 10, 11} {
		b := bytes.Clone(image)
		b[i] ^= 1
		if drop := header().Check(at, vrrp.Packet{}, b); drop != vrrp.DropNone {
			t.Errorf("byte %d changed: dropped for %q", i, drop)
		}
	}
	for _, i := range []int{4, 8, 12, 16, 22, 24, 28, 32, 46, 56} {
		b := bytes.Clone(image)
		b[i] ^= 1
		if drop := header().Check(at, vrrp.Packet{}, b); drop != vrrp.DropAuth {
			t.Errorf("byte %d changed: dropped for %q", i, drop)
		}
	}
	if drop := header().Check(at, vrrp.Packet{}, nil); drop != vrrp.DropAuthMissing {
		t.Errorf("without a header: dropped for %q", drop)
	}
	if drop := header().Check(at, vrrp.Packet{}, image[:40]); drop != vrrp.DropAuthFormat {
		t.Errorf("cut: dropped for %q", drop)
	}
}

// Each router's numbers grow, and ours exceed all that were received.
func TestHeaderSequence(t *testing.T) {
	image := unhex(t, ahImage)
	g := header()
	g.Check(at, vrrp.Packet{}, image)
	if drop := g.Check(at, vrrp.Packet{}, image); drop != vrrp.DropReplay {
		t.Errorf("the second time: dropped for %q", drop)
	}
	other := header()
	later := time.Unix(0x70000000, 0)
	packet := other.Begin(bytes.Clone(image[:20]), later, netip.MustParseAddr("10.9.0.3"))
	packet = append(packet, image[44:]...)
	copy(packet[12:], []byte{10, 9, 0, 3})
	other.Finish(packet)
	if drop := g.Check(at, vrrp.Packet{}, packet); drop != vrrp.DropNone {
		t.Errorf("another router: dropped for %q", drop)
	}
	b := g.Begin(nil, at, netip.MustParseAddr("10.9.0.2"))
	if got := b[8:12]; !bytes.Equal(got, []byte{0x70, 0, 0, 1}) {
		t.Errorf("sequence %x", got)
	}
	b = header().Begin(nil, at, netip.MustParseAddr("10.9.0.2"))
	if got := b[8:12]; !bytes.Equal(got, []byte{0x68, 0, 0, 0}) {
		t.Errorf("sequence %x of a new guard, want the time", got)
	}
}

// headerPacket returns an advert from 192.0.2.1 with an authentication header.
func headerPacket(g *Guard, now time.Time) []byte {
	source, group := netip.MustParseAddr("192.0.2.1"), vrrp.IPv4.MulticastGroup()
	a := vrrp.Advert{Version: 2, VRID: 10, Priority: 100, Interval: time.Second, Addresses: list("192.0.2.100")}
	g.Mark(&a)
	message := a.Append(g.Begin(nil, now, source), source, group, 0)
	packet := make([]byte, ipv4Len, ipv4Len+len(message))
	packet[0], packet[8], packet[9] = 0x45, 255, 51
	copy(packet[12:], source.AsSlice())
	copy(packet[16:], group.AsSlice())
	packet = append(packet, message...)
	g.Finish(packet)
	return packet
}

func headersOnPaths() []*Guard {
	paths := []*Guard{header(), header()}
	for _, g := range paths {
		g.OnPaths(paths)
	}
	return paths
}

// A message that one path brought is no good on another, as with an HMAC.
func TestHeaderReplayOnOtherPath(t *testing.T) {
	sender, paths := header(), headersOnPaths()
	first, second, third := headerPacket(sender, at), headerPacket(sender, at), headerPacket(sender, at)
	for i, c := range []struct {
		path   int
		packet []byte
		after  time.Duration
		want   vrrp.Drop
	}{
		{0, first, 0, vrrp.DropNone},
		{1, first, vrrp.CopyWindow + 1, vrrp.DropReplay},
		{0, second, time.Second, vrrp.DropNone},
		{1, first, time.Second, vrrp.DropReplay}, // older than what came just now
		{1, second, time.Second + vrrp.CopyWindow, vrrp.DropNone},
		{1, second, time.Second + vrrp.CopyWindow, vrrp.DropReplay}, // once
		{1, third, 2 * time.Second, vrrp.DropNone},
		{0, third, 3 * time.Second, vrrp.DropReplay}, // the path that it was held back on
	} {
		if drop := paths[c.path].Check(at.Add(c.after), vrrp.Packet{}, c.packet); drop != c.want {
			t.Errorf("%d: on path %d after %v: dropped for %q, want %q", i, c.path, c.after, drop, c.want)
		}
	}
}

// A router with one address on two paths is heard on both, although it sends more on one of
// them, and faster than the clock counts.
func TestHeaderNumbersOfPaths(t *testing.T) {
	senders, receivers := headersOnPaths(), headersOnPaths()
	other := header() // far ahead; one path brings it
	ahead := headerPacket(other, at.Add(time.Hour))
	copy(ahead[12:], []byte{192, 0, 2, 9})
	other.Finish(ahead)
	for i := range 100 {
		now := at.Add(time.Duration(i) * 100 * time.Millisecond)
		rounds := [][]int{{0, 1}}
		switch {
		case i == 50:
			if drop := senders[1].Check(now, vrrp.Packet{}, ahead); drop != vrrp.DropNone {
				t.Fatalf("the other router: dropped for %q", drop)
			}
		case i%3 == 0:
			rounds = [][]int{{0}, {0, 1}} // a question by one path, and the adverts
		case i%3 == 1:
			rounds = [][]int{{1}}
		}
		for _, round := range rounds {
			var sent [][]byte
			for _, path := range round {
				sent = append(sent, headerPacket(senders[path], now))
			}
			for j, path := range round {
				if drop := receivers[path].Check(now, vrrp.Packet{}, sent[j]); drop != vrrp.DropNone {
					t.Fatalf("advert %d on path %d: dropped for %q", i, path, drop)
				}
			}
		}
	}
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

func TestSecretsShowNothing(t *testing.T) {
	c := Config{Kind: HMAC, Secret: "swordfish", Keys: []Key{{1, "swordfish-swordfish"}}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", c.Secret, "config", c)
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		all += fmt.Sprintf(verb, c) + fmt.Sprintf(verb, c.Secret) + fmt.Sprintf(verb, &c)
	}
	if err := c.Validate(2); err != nil {
		all += err.Error()
	}
	for _, leak := range []string{"swordfish", hex.EncodeToString([]byte("swordfish"))} {
		if strings.Contains(all, leak) {
			t.Errorf("%s in\n%s", leak, all)
		}
	}
}

func TestValidate(t *testing.T) {
	good := Config{Kind: HMAC, Keys: []Key{{1, counting(32)}}, Active: 1, Window: 5 * time.Second}
	for _, c := range []struct {
		name    string
		version uint8
		change  func(*Config)
		want    string
	}{
		{"good", 3, func(*Config) {}, ""},
		{"none", 3, func(c *Config) { *c = Config{} }, ""},
		{"password", 2, func(c *Config) { *c = Config{Kind: Password, Secret: "12345678"} }, ""},
		{"password of version 3", 3, func(c *Config) { *c = Config{Kind: Password, Secret: "12345678"} }, "type"},
		{"header of version 3", 3, func(c *Config) { *c = Config{Kind: Header, Secret: "12345678"} }, "type"},
		{"long password", 2, func(c *Config) { *c = Config{Kind: Password, Secret: "123456789"} }, "secret"},
		{"no password", 2, func(c *Config) { *c = Config{Kind: Header} }, "secret"},
		{"no keys", 2, func(c *Config) { c.Keys = nil }, "keys"},
		{"short key", 2, func(c *Config) { c.Keys[0].Secret = counting(31) }, "keys"},
		{"long key", 2, func(c *Config) { c.Keys[0].Secret = counting(65) }, "keys"},
		{"key 0", 2, func(c *Config) { c.Keys, c.Active = append(c.Keys, Key{0, counting(32)}), 1 }, "keys"},
		{"a key twice", 2, func(c *Config) { c.Keys = append(c.Keys, c.Keys[0]) }, "keys"},
		{"no such key", 2, func(c *Config) { c.Active = 2 }, "active_key"},
		{"long window", 2, func(c *Config) { c.Window = 301 * time.Second }, "time_window"},
	} {
		cfg := good
		cfg.Keys = append([]Key(nil), good.Keys...)
		c.change(&cfg)
		err := cfg.Validate(c.version)
		got := ""
		if err != nil {
			got, _, _ = strings.Cut(err.Error(), ":")
		}
		if got != c.want {
			t.Errorf("%s: %v, want an error of %q", c.name, err, c.want)
		}
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

// A guard that continues for another one sends numbers that others take, though the
// clock is behind them, and refuses what the other one has heard.
func TestMarksGoOn(t *testing.T) {
	config := Config{Kind: Header, Secret: "swordfsh"}
	fresh := func() *Guard { return New(config, vrrp.IPv4, 2, 10, nil) }
	send := func(g *Guard) []byte { return headerPacket(g, at) }
	sender, receiver := fresh(), fresh()
	var last []byte
	for range 40 { // the numbers run ahead of the clock, as with many peers
		last = send(sender)
		if drop := receiver.Check(at, vrrp.Packet{}, last); drop != vrrp.DropNone {
			t.Fatalf("dropped: %v", drop)
		}
	}
	if drop := receiver.Check(at, vrrp.Packet{}, send(fresh())); drop != vrrp.DropReplay {
		t.Errorf("without marks: %v; the test tests nothing", drop)
	}
	receiving, sending := fresh(), fresh()
	receiving.Recall(receiver.Marks())
	sending.Recall(sender.Marks())
	if drop := receiving.Check(at, vrrp.Packet{}, last); drop != vrrp.DropReplay {
		t.Errorf("the last advert again: %v", drop)
	}
	if drop := receiving.Check(at, vrrp.Packet{}, send(sending)); drop != vrrp.DropNone {
		t.Errorf("the next advert: %v", drop)
	}
	var none *Guard
	none.Recall(sender.Marks())
	if m := none.Marks(); !m.None() {
		t.Errorf("no guard has %+v", m)
	}
}
