package vrrp

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// twoPaths is a virtual router on 10.1.0.0/24 and also on 10.2.0.0/24.
func twoPaths() Config {
	return Config{
		Name: "v", Family: IPv4, Version: 3, VRID: 7, Priority: 100, Interval: time.Second, Preempt: true,
		Addresses: []netip.Addr{netip.MustParseAddr("10.1.0.100")},
		Paths:     []PathConfig{{Name: "eth1"}},
	}
}

var ownPaths = []netip.Addr{netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.2.0.1")}

// packetFrom returns an advert as it arrives.
func packetFrom(c *Config, source, origin string, priority uint8) Packet {
	from := netip.MustParseAddr(source)
	a := Advert{Version: c.Version, VRID: c.VRID, Priority: priority, Interval: c.Interval, Addresses: c.Addresses}
	if origin != "" {
		a.Origin = netip.MustParseAddr(origin)
	}
	to := c.Family.MulticastGroup()
	return Packet{Source: from, Destination: to, HopLimit: HopLimit, Payload: a.Append(nil, from, to, c.Checksum)}
}

// The address of a router on a path is known from what came by it, and a path that is
// gone or too many routers forget it.
func TestLocate(t *testing.T) {
	var ps Paths
	c := twoPaths()
	ps.Configure(&c, ownPaths)
	router, at := netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("10.2.0.2")
	if ps.Address(0, router) != router || ps.Address(1, router).IsValid() {
		t.Error("a router that was not heard is on the second path")
	}
	if ps.Locate(0, router, router) || !ps.Locate(1, router, at) || ps.Locate(1, router, at) || ps.Address(1, router) != at {
		t.Errorf("on the second path it is %v, want %v, said once", ps.Address(1, router), at)
	}
	if moved := at.Next(); !ps.Locate(1, router, moved) || ps.Address(1, router) != moved {
		t.Error("another address is no news")
	}
	for other := netip.MustParseAddr("10.1.1.1"); other != netip.MustParseAddr("10.1.2.1"); other = other.Next() {
		ps.Locate(1, other, at)
	}
	if ps.Address(1, router).IsValid() {
		t.Error("hundreds of routers are known")
	}
}

// The Origin survives the wire in every version, family and form of checksum, also
// before an authentication trailer, and a message without one has none.
func TestOrigin(t *testing.T) {
	for _, tt := range []struct {
		version uint8
		form    Checksum
		source  string
		origin  string
	}{
		{2, ChecksumPseudo, "10.2.0.2", "10.1.0.2"},
		{3, ChecksumPseudo, "10.2.0.2", "10.1.0.2"},
		{3, ChecksumRFC9568, "10.2.0.2", "10.1.0.2"},
		{3, ChecksumPseudo, "fe80::2", "fe80::12"},
	} {
		source, origin := netip.MustParseAddr(tt.source), netip.MustParseAddr(tt.origin)
		family := FamilyOf(source)
		to := family.MulticastGroup()
		a := Advert{Version: tt.version, VRID: 7, Priority: 100, Interval: time.Second, Origin: origin,
			Addresses: addresses(family, 3)}
		for _, trailer := range []bool{false, true} {
			payload := a.Append(nil, source, to, tt.form)
			if trailer {
				payload = append(payload, make([]byte, TrailerLen)...)
				payload[len(payload)-1] = 9
				if family == IPv6 {
					CoverTrailer(payload)
				}
			}
			var got Advert
			if drop := Decode(Packet{source, to, HopLimit, payload}, &got); drop != DropNone || got.Origin != origin || !slices.Equal(got.Addresses, a.Addresses) {
				t.Errorf("version %d %v, trailer %v: dropped for %q, origin %v", tt.version, family, trailer, drop, got.Origin)
			}
			message, rest := SplitTrailer(payload, family)
			if want := len(a.withoutOrigin().Append(nil, source, to, tt.form)); len(message) != want || (rest != nil) != trailer {
				t.Errorf("version %d %v: a message of %d bytes, want %d, and a trailer of %d", tt.version, family, len(message), want, len(rest))
			}
			if trailer && rest[len(rest)-1] != 9 {
				t.Errorf("version %d %v: the trailer is elsewhere", tt.version, family)
			}
		}
		var got Advert
		plain := a.withoutOrigin().Append(nil, source, to, tt.form)
		if drop := Decode(Packet{source, to, HopLimit, append(plain, make([]byte, OriginLen)...)}, &got); family == IPv4 && drop != DropNone || got.Origin.IsValid() {
			t.Errorf("version %d %v: padding is taken for an origin %v (%v)", tt.version, family, got.Origin, drop)
		}
	}
}

func (a *Advert) withoutOrigin() *Advert {
	b := *a
	b.Origin = netip.Addr{}
	return &b
}

// By whatever path an advert comes, its sender is the address on the first path.
func TestPathsAdmit(t *testing.T) {
	c := twoPaths()
	limited := c
	limited.Peers = []PeerConfig{{Address: netip.MustParseAddr("10.1.0.2")}}
	limited.Paths = []PathConfig{{Name: "eth1", Peers: []PeerConfig{{Address: netip.MustParseAddr("10.2.0.2")}}}}
	for name, tt := range map[string]struct {
		config         *Config
		path           int
		source, origin string
		from           string
		drop           Drop
	}{
		"first":                  {&c, 0, "10.1.0.2", "", "10.1.0.2", DropNone},
		"second":                 {&c, 1, "10.2.0.2", "10.1.0.2", "10.1.0.2", DropNone},
		"first, heard on second": {&c, 1, "10.1.0.2", "", "10.1.0.2", DropNone},
		"second, heard on first": {&c, 0, "10.2.0.2", "10.1.0.2", "10.1.0.2", DropNone},
		"our first on second":    {&c, 1, "10.1.0.1", "", "10.1.0.1", DropOwnPath},
		"our second on first":    {&c, 0, "10.2.0.1", "10.1.0.1", "10.2.0.1", DropOwnPath},
		"our third on second":    {&c, 1, "10.3.0.1", "10.1.0.1", "10.3.0.1", DropOwnPath},
		"a loop":                 {&c, 0, "10.1.0.1", "", "10.1.0.1", DropOwnAddress},
		"a loop on second":       {&c, 1, "10.2.0.1", "10.1.0.9", "10.2.0.1", DropOwnAddress},
		"other family":           {&c, 1, "10.2.0.2", "fe80::2", "fe80::2", DropVRID},
		"a peer":                 {&limited, 1, "10.2.0.2", "10.1.0.2", "10.1.0.2", DropNone},
		"no peer of the first":   {&limited, 1, "10.2.0.2", "10.1.0.3", "10.1.0.3", DropPeer},
		"no peer of the second":  {&limited, 1, "10.2.0.3", "10.1.0.2", "10.2.0.3", DropPeer},
	} {
		var ps Paths
		ps.Configure(tt.config, ownPaths)
		p := packetFrom(tt.config, tt.source, tt.origin, 100)
		var a Advert
		if drop := Decode(p, &a); drop != DropNone {
			t.Fatal(name, drop)
		}
		if from, drop := ps.Admit(tt.path, p, &a); from != netip.MustParseAddr(tt.from) || drop != tt.drop {
			t.Errorf("%s: from %v, %q, want %v, %q", name, from, drop, tt.from, tt.drop)
		}
	}
}

// A listener hears adverts at times after the epoch, and says what was fresh.
type listener struct {
	t *testing.T
	Paths
	c Config
}

func newListener(t *testing.T) *listener {
	l := &listener{t: t, c: twoPaths()}
	l.Configure(&l.c, ownPaths)
	return l
}

func (l *listener) hear(at time.Duration, path int, priority uint8) (fresh, changed bool) {
	a := Advert{Priority: priority, Interval: l.c.Interval}
	if path > 0 {
		a.Origin = netip.MustParseAddr("10.1.0.2")
	}
	return l.Hear(epoch.Add(at), path, &Received{Advert: &a, Source: netip.MustParseAddr("10.1.0.2")})
}

func TestPathsCopies(t *testing.T) {
	l := newListener(t)
	for _, tt := range []struct {
		at       time.Duration
		path     int
		priority uint8
		fresh    bool
	}{
		{0, 0, 100, true},
		{1 * time.Millisecond, 1, 100, false},
		{2 * time.Millisecond, 1, 100, true}, // a second one by that path is an answer
		{3 * time.Millisecond, 0, 100, false},
		{1000 * time.Millisecond, 1, 100, true}, // whichever path is faster
		{1001 * time.Millisecond, 0, 100, false},
		{1002 * time.Millisecond, 0, 0, true}, // another priority is another advert
		{1003 * time.Millisecond, 1, 0, false},
		{2000 * time.Millisecond, 0, 100, true},
		{2000*time.Millisecond + CopyWindow, 1, 100, true}, // too late for a copy
	} {
		if fresh, _ := l.hear(tt.at, tt.path, tt.priority); fresh != tt.fresh {
			t.Errorf("at %v by path %d with priority %d: fresh %v", tt.at, tt.path, tt.priority, fresh)
		}
	}
	if h := l.Heard(); h[0].Received != 5 || h[0].Copies != 2 || h[1].Received != 5 || h[1].Copies != 2 {
		t.Errorf("%+v", h)
	}
}

// A path is silent when the MASTER was heard by another one only for three intervals,
// and is well when it has carried more adverts than that again.
func TestPathsSilence(t *testing.T) {
	l := newListener(t)
	second := func(n int, paths ...int) (changed bool) {
		for _, path := range paths {
			_, c := l.hear(time.Duration(n)*time.Second, path, 100)
			changed = changed || c
		}
		return changed
	}
	n := 0
	expect := func(what string, want int, silent [2]bool, paths ...int) {
		t.Helper()
		changes := 0
		for range 5 {
			if second(n, paths...) {
				changes++
			}
			n++
		}
		h := l.Heard()
		if changes != want || h[0].Silent != silent[0] || h[1].Silent != silent[1] {
			t.Errorf("%s: %d changes, silent %v and %v", what, changes, h[0].Silent, h[1].Silent)
		}
	}
	expect("both work", 0, [2]bool{}, 0, 1)
	expect("the second breaks", 1, [2]bool{false, true}, 0)
	if since := l.Heard()[1].Since; !since.Equal(epoch.Add(4 * time.Second)) {
		t.Errorf("silent since %v", since)
	}
	expect("it stays broken", 0, [2]bool{false, true}, 0)
	expect("it works again", 1, [2]bool{}, 0, 1)
	expect("the first breaks", 1, [2]bool{true, false}, 1)
	if !l.Master() || l.Heard()[0].Silent {
		t.Error("a MASTER knows what is silent")
	}
	n += 100
	expect("another MASTER, by the second alone", 1, [2]bool{true, false}, 1)
	n += 100
	expect("after a pause, both", 1, [2]bool{}, 0, 1)
	l.c.Paths = append([]PathConfig{{Name: "eth2"}}, l.c.Paths...)
	l.Configure(&l.c, append(slices.Clone(ownPaths), netip.MustParseAddr("10.3.0.1")))
	if h := l.Heard(); h[1].Received != 0 || h[2].Received == 0 {
		t.Errorf("a reload mixed the paths up: %+v", h)
	}
	for i := range 5 { // by the new path nothing could come before
		if second(n, 0, 2); l.Heard()[1].Silent != (i > 3) {
			t.Errorf("%d s after it was added, the path is silent: %v", i, l.Heard()[1].Silent)
		}
		n++
	}
}

func TestPathsCrossed(t *testing.T) {
	l := newListener(t)
	a := Advert{Priority: 100, Interval: time.Second}
	for i, want := range []bool{true, false} {
		_, changed := l.Hear(epoch.Add(time.Duration(i)*time.Second), 1, &Received{Advert: &a, Source: netip.MustParseAddr("10.1.0.2")})
		if changed != want || !l.Heard()[1].IsCrossed(epoch.Add(time.Duration(i)*time.Second)) {
			t.Errorf("advert %d: news %v", i, changed)
		}
	}
	if l.Heard()[1].IsCrossed(epoch.Add(2*time.Minute)) || l.Heard()[0].IsCrossed(epoch) {
		t.Error("crossed for ever, or the wrong path")
	}
}

// A MASTER whose first path is lost says so on the others, and lets go at once.
func TestWireLostWithPaths(t *testing.T) {
	g := NewGroup("", twoPaths())
	g.Step(epoch, 0, Primary{ownPaths[0]})
	g.Step(epoch, 0, Start{})
	now := g.Deadline()
	g.Elapse(now)
	g.Step(now, 0, Claimed{})
	var did []string
	for _, a := range g.Step(now.Add(time.Second), 0, Faulted{Key: LinkFault, Problem: "eth0 is down", WireLost: true}) {
		did = append(did, a.Action.String())
	}
	want := []string{"send priority=0", "release", "MASTER -> FAULT (eth0 is down)"}
	if !slices.Equal(did, want) {
		t.Errorf("%q, want %q", did, want)
	}
}
