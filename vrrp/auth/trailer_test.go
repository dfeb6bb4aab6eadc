package auth

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"holdfast/vrrp"
)

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
