package auth

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"hash"
	"net/netip"
	"time"

	"holdfast/vrrp"
)

// A Guard authenticates the messages of one virtual router and checks those
// of others. It does not allocate when it does. It is not safe for concurrent
// use.
type Guard struct {
	cfg      Config
	family   vrrp.Family
	version  uint8
	vrid     uint8
	password [8]byte
	md5      hash.Hash // Header
	keys     []key     // HMAC

	sequence uint64    // the last that was sent or, with Header, received
	sent     time.Time // when it was sent; zero: it was received. Only Header needs it
	senders  senders
	paths    []*Guard // see OnPaths
	pseudo   [pseudoLen]byte
	header   [ipv4Len]byte
	digest   [sha256.Size]byte
}

type key struct {
	id  uint8
	mac hash.Hash
}

// New returns a guard, or nil for None. c must be valid. former, which may be
// nil, is the guard before a change of configuration. It passes on the
// sequence numbers, so that old adverts cannot be replayed.
func New(c Config, family vrrp.Family, version, vrid uint8, former *Guard) *Guard {
	if c.Kind == None {
		return nil
	}
	g := &Guard{cfg: c, family: family, version: version, vrid: vrid, password: padded(c.Secret)}
	if former != nil && former.cfg.Kind == c.Kind {
		g.sequence, g.senders = former.sequence, former.senders
	}
	if c.Kind == Header {
		g.md5 = hmac.New(md5.New, g.password[:])
	}
	for _, k := range c.Keys {
		g.keys = append(g.keys, key{k.ID, hmac.New(sha256.New, []byte(k.Secret))})
	}
	return g
}

// OnPaths tells a guard for one path of a virtual router which guards its paths have,
// itself included, and those that it had. An authenticated message does not name its
// path, so one that was recorded on a path could otherwise be replayed on another. It may
// be called on nil.
func (g *Guard) OnPaths(all []*Guard) {
	if g != nil {
		g.paths = all
	}
}

// Config returns what the guard was made with.
func (g *Guard) Config() *Config { return &g.cfg }

// Fresh reports whether every message must be authenticated anew when it is
// sent.
func (g *Guard) Fresh() bool {
	return g.cfg.Kind == Header || g.cfg.Kind == HMAC && g.cfg.Mode != ReceiveOnly
}

// Mark sets the authentication fields of the message itself.
func (g *Guard) Mark(a *vrrp.Advert) {
	a.AuthType = g.cfg.Type()
	if g.cfg.Kind == Password {
		a.AuthData = g.password
	}
}

// Begin appends to b the header that precedes a message from source.
func (g *Guard) Begin(b []byte, now time.Time, source netip.Addr) []byte {
	if g.cfg.Kind == Header {
		return g.beginHeader(b, now, source)
	}
	return b
}

// Seal appends the trailer that follows a message. b holds the result of
// Begin and the message after it.
func (g *Guard) Seal(b []byte, now time.Time, source netip.Addr) []byte {
	if g.cfg.Kind == HMAC && g.cfg.Mode != ReceiveOnly {
		return g.sealTrailer(b, now, source)
	}
	return b
}

// Finish fills in the check value of a packet that is ready to be sent, from
// its IP header on.
func (g *Guard) Finish(packet []byte) {
	if g.cfg.Kind == Header {
		g.finishHeader(packet)
	}
}

// Check checks a message that passed vrrp.Decode and Config.Admit. datagram
// is the whole IP packet if it has an IP authentication header, and nil
// otherwise.
func (g *Guard) Check(now time.Time, p vrrp.Packet, datagram []byte) vrrp.Drop {
	switch g.cfg.Kind {
	case Password:
		return g.checkPassword(p)
	case Header:
		return g.checkHeader(now, datagram)
	case HMAC:
		return g.checkTrailer(now, p)
	}
	return vrrp.DropNone
}

func (g *Guard) checkPassword(p vrrp.Packet) vrrp.Drop {
	message, _ := vrrp.SplitTrailer(p.Payload, g.family)
	if len(message) < len(g.password) {
		return vrrp.DropLength
	}
	if subtle.ConstantTimeCompare(message[len(message)-len(g.password):], g.password[:]) != 1 {
		return vrrp.DropAuth
	}
	return vrrp.DropNone
}

// numSenders is how many sources are remembered. A source is remembered only
// after it proved that it knows the key, so strangers cannot push others out.
const numSenders = 8

// senders keeps the highest sequence number of each source.
type senders struct {
	list  [numSenders]sender
	clock uint64
}

type sender struct {
	source   netip.Addr
	sequence uint64
	at       time.Time // of the message with this number; zero: another program received it
	used     uint64    // by the clock; 0: never
}

// find returns the entry of a source, nil if there is none.
func (s *senders) find(source netip.Addr) *sender {
	for i := range s.list {
		if e := &s.list[i]; e.used != 0 && e.source == source {
			return e
		}
	}
	return nil
}

// of returns the entry of a source. A new source replaces the one that was
// silent for longest.
func (s *senders) of(source netip.Addr) *sender {
	oldest := &s.list[0]
	s.clock++
	if e := s.find(source); e != nil {
		e.used = s.clock
		return e
	}
	for i := range s.list {
		if e := &s.list[i]; e.used < oldest.used {
			oldest = e
		}
	}
	*oldest = sender{source: source, used: s.clock}
	return oldest
}

// replayedFromOther reports whether a message came earlier by another path. It may come
// by two paths at about the same time if these are one LAN, and a router with one address
// on two paths gives its messages on both the same number.
func (g *Guard) replayedFromOther(now time.Time, source netip.Addr, sequence uint64) bool {
	for _, o := range g.paths {
		if o == nil || o == g {
			continue
		}
		s := o.senders.find(source)
		if s == nil || s.sequence == 0 || o.beyond(now, s.sequence) || after(sequence, s.sequence) {
			continue
		}
		if s.sequence != sequence || now.Sub(s.at) > vrrp.CopyWindow {
			return true
		}
	}
	return false
}
