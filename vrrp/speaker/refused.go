package speaker

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"

	"holdfast/vrrp"
)

const (
	// maxRefused bounds the refused speakers that one router remembers. Anybody on
	// the wire can send from as many addresses as he likes.
	maxRefused = 16
	// refusedStreak is how many refused adverts in a row, at the speaker's own pace,
	// make it one that advertises as MASTER. A few late or copied adverts do not.
	refusedStreak = 3
	// refusedReports and refusedPause bound the reports about refused speakers: so
	// many at once, and one more after each pause.
	refusedReports = 4
	refusedPause   = 15 * time.Second
)

// A RefusedSpeaker is another router that sends adverts with the VRID of one of
// ours, which are refused.
type RefusedSpeaker struct {
	Source   netip.Addr
	Reason   vrrp.Drop     // of the last advert
	Problem  string        // Reason as a sentence, for people
	Priority uint8         // in the last advert
	Interval time.Duration // in the last advert; 0: it could not be decoded
	Since    time.Time     // of the first advert
	Last     time.Time     // of the last advert
	Count    uint64        // of adverts
	// Advertises is set while the speaker advertises as MASTER: at least three
	// adverts came in a row, and the last one not more than three intervals ago.
	Advertises bool

	streak   int       // of adverts without a gap, up to refusedStreak
	from     time.Time // when the streak began
	reported bool      // as a rival, and not yet as gone
	accepted bool      // the latest advert was accepted
}

// refusedTable has the refused speakers of one router.
type refusedTable struct {
	list      []RefusedSpeaker // in no particular order, at most maxRefused
	forgotten uint64           // how many speakers were not remembered, or not any more
	next      time.Time        // when the list must be looked at; zero: never
	tokens    int              // how many reports are used up
	tokenAt   time.Time        // when one of them is free again
}

// lost returns how long a speaker is taken to advertise after its last advert.
func (s *RefusedSpeaker) lost(own time.Duration) time.Duration { return 3 * max(own, s.Interval) }

// add notes a refused advert. It reports whether the speaker has just become one
// that advertises as MASTER.
func (t *refusedTable) add(now time.Time, source netip.Addr, reason vrrp.Drop, a *vrrp.Advert, own time.Duration) bool {
	s := t.entry(now, source)
	if s == nil {
		t.forgotten++
		return false
	}
	switch {
	case a.Priority == vrrp.PriorityStop || reason == vrrp.DropOwnAddress:
		// The speaker stops; or the adverts are our own, which a switch sent back.
		s.streak = 0
	case s.streak > 0 && now.Sub(s.Last) <= s.lost(own):
		s.streak = min(s.streak+1, refusedStreak)
	default:
		s.streak, s.from = 1, now
	}
	s.Reason, s.Priority, s.Interval, s.Last, s.accepted = reason, a.Priority, a.Interval, now, false
	s.Count++
	pace := cmp.Or(a.Interval, own)
	advertises := s.streak == refusedStreak && now.Sub(s.from) >= (refusedStreak-1)*pace-pace/2
	if s.Advertises == advertises {
		return false
	}
	s.Advertises = advertises
	t.next = now
	return true
}

// accept notes an accepted advert: after a reload, say, the adverts of a speaker may
// be in order. It reports whether the speaker was one that advertises as MASTER.
func (t *refusedTable) accept(now time.Time, source netip.Addr) bool {
	for i := range t.list {
		s := &t.list[i]
		if s.Source != source {
			continue
		}
		advertised := s.Advertises
		s.Advertises, s.streak, s.accepted = false, 0, true
		if advertised {
			t.next = now
		}
		return advertised
	}
	return false
}

// entry returns the entry of a source, and makes one if there is none. A new one
// replaces the speaker that was silent for longest, but none that advertises as
// MASTER: it returns nil if all do.
func (t *refusedTable) entry(now time.Time, source netip.Addr) *RefusedSpeaker {
	var oldest *RefusedSpeaker
	for i := range t.list {
		s := &t.list[i]
		if s.Source == source {
			return s
		}
		if !s.Advertises && !s.reported && (oldest == nil || s.Last.Before(oldest.Last)) {
			oldest = s
		}
	}
	switch {
	case len(t.list) < maxRefused:
		if t.list == nil {
			t.list = make([]RefusedSpeaker, 0, maxRefused)
		}
		t.list = append(t.list, RefusedSpeaker{})
		oldest = &t.list[len(t.list)-1]
	case oldest == nil:
		return nil
	default:
		t.forgotten++
	}
	*oldest = RefusedSpeaker{Source: source, Since: now}
	return oldest
}

// review calls report for each speaker that advertises as MASTER beside us, or no
// longer does, since it was last reported.
func (t *refusedTable) review(now time.Time, own time.Duration, master bool, report func(s *RefusedSpeaker, gone bool)) {
	t.next = time.Time{}
	for t.tokens > 0 && reached(t.tokenAt, now) {
		t.tokens--
		t.tokenAt = t.tokenAt.Add(refusedPause)
	}
	for i := range t.list {
		s := &t.list[i]
		if end := s.Last.Add(s.lost(own)); s.Advertises && !end.After(now) {
			s.Advertises, s.streak = false, 0
		} else if s.Advertises {
			t.next = earliest(t.next, end)
		}
		switch rival := master && s.Advertises; {
		case rival == s.reported:
		case !rival:
			s.reported = false
			report(s, true)
		case t.tokens >= refusedReports:
			t.next = earliest(t.next, t.tokenAt)
		default:
			if t.tokens == 0 {
				t.tokenAt = now.Add(refusedPause)
			}
			t.tokens++
			s.reported = true
			report(s, false)
		}
	}
}

// snapshot returns a copy for display.
func (t *refusedTable) snapshot(r *router) []RefusedSpeaker {
	if len(t.list) == 0 {
		return nil
	}
	list := make([]RefusedSpeaker, len(t.list))
	copy(list, t.list)
	for i := range list {
		list[i].Problem = r.problem(&list[i])
	}
	return list
}

// problem says why a speaker's adverts are refused, for people.
func (r *router) problem(s *RefusedSpeaker) string {
	c := r.config()
	switch s.Reason {
	case vrrp.DropHopLimit:
		return "the TTL or hop limit is too low, they crossed a router"
	case vrrp.DropVersion:
		return fmt.Sprintf("they are not of version %d", c.Version)
	case vrrp.DropOwnAddress:
		return "they come from our own address: a loop, or a duplicate address"
	case vrrp.DropCount:
		return "they have no addresses"
	case vrrp.DropDestination:
		if c.Unicast {
			return "they are multicast, and unicast is configured here"
		}
		return "they are unicast or to another group, and multicast is configured here"
	case vrrp.DropPeer:
		return "it is not one of the configured peers"
	case vrrp.DropOwner:
		return "priority 255 is configured here, which refuses other adverts in version 2"
	case vrrp.DropAuthType:
		return "they have another authentication type"
	case vrrp.DropAddresses:
		return "they list other addresses"
	case vrrp.DropInterval:
		return fmt.Sprintf("their interval is %v, and %v is configured here", s.Interval, c.Interval)
	case vrrp.DropAuthMissing:
		return "they are not authenticated"
	case vrrp.DropAuthFormat:
		return "their authentication is malformed"
	case vrrp.DropAuthStale:
		return "their time differs too much from ours"
	case vrrp.DropAuthKey:
		return "they are authenticated with a key that is not configured here"
	case vrrp.DropAuth:
		return "their authentication is wrong"
	case vrrp.DropReplay:
		return "their sequence number was used before"
	}
	return fmt.Sprintf("they are malformed (%v)", s.Reason)
}

// refuse notes the speaker of a refused advert, and reports it if that makes it a
// rival.
func (s *Speaker) refuse(now time.Time, r *router, p *Packet, reason vrrp.Drop) {
	if len(p.Payload) > 0 && p.Payload[0]&0x0f != vrrp.TypeAdvert {
		return // its sender does not say that it is MASTER
	}
	if reason == vrrp.DropOwnPath {
		return // it is no other router: the two paths are one LAN
	}
	s.decodeRefused(p)
	if r.refused.add(now, p.Source, reason, &s.advert, r.config().Interval) {
		s.reviewRefused(now, r)
		s.schedule(r.group)
	}
}

// decodeRefused decodes what it can of a refused packet into s.advert, whose
// Interval is 0 if that is nothing but the priority.
func (s *Speaker) decodeRefused(p *Packet) {
	packet := p.Packet
	packet.HopLimit = vrrp.HopLimit
	if vrrp.Decode(packet, &s.advert) == vrrp.DropNone {
		return
	}
	s.advert.Interval, s.advert.Priority = 0, 1
	if len(packet.Payload) > 2 {
		s.advert.Priority = packet.Payload[2]
	}
}

// reviewRefused reports which refused speakers are rivals, and which are no longer.
// It is called when one of them changed, when the router's state did, and at
// r.refused.next.
func (s *Speaker) reviewRefused(now time.Time, r *router) {
	m := r.machine()
	r.refused.review(now, r.config().Interval, m.State() == vrrp.Master, func(sp *RefusedSpeaker, gone bool) {
		why := fmt.Sprintf("%v (priority %d) advertises as MASTER, but its adverts are refused: %s", sp.Source, sp.Priority, r.problem(sp))
		switch {
		case gone && m.State() != vrrp.Master:
			why = fmt.Sprintf("%s is %v now", r.config().Name, m.State())
		case gone && sp.accepted:
			why = fmt.Sprintf("adverts from %v are accepted now", sp.Source)
		case gone:
			why = fmt.Sprintf("%v has stopped advertising", sp.Source)
		}
		s.reports = append(s.reports, Report{
			At: now, Group: r.group.name, Router: r.config().Name, Verb: vrrp.Rival, To: m.State(), Priority: m.Priority(), Why: why,
			Peer: &vrrp.Peer{Address: sp.Source, Priority: sp.Priority, Interval: sp.Interval, LastHeard: sp.Last},
			Drop: sp.Reason, Gone: gone,
		})
	})
}
