package director

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/netdev/frame"
	"holdfast/netdev/port"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// maxMACWait bounds the time for which the news of a rival waits for the advert
// that tells its MAC address.
const maxMACWait = 1500 * time.Millisecond

// maxListening bounds how many rivals are listened to at once, of which each needs a
// socket that looks at all adverts of its interface. When a thousand virtual routers have
// two MASTERs each, it is the same other router that speaks for all.
const maxListening = 32

// maxOverheard bounds how many senders are remembered: a host can send from as many
// addresses as it likes.
const maxOverheard = 64

// A rivalry is the time in which another router speaks as MASTER beside an
// instance. Only then are the MAC addresses of adverts listened to.
type rivalry struct {
	report    speaker.Report // of its coming
	family    vrrp.Family
	macs      map[netip.Addr]frame.MAC // of all senders, by address
	published bool
	cancel    context.CancelFunc // ends the listening
}

// A rivals is the subsystem that knows which other routers send adverts as MASTER
// beside an instance of ours that is MASTER.
type rivals struct {
	base
	instance func(name string) *instance             // nil: it is gone
	about    func(r *speaker.Report) *event.Instance // what events tell of the instance of a report
	known    map[string]*rivalry                     // by instance
}

// mac is the address that a rival speaks from; "" as long as it is not known.
func (r *rivalry) mac(rival netip.Addr) string {
	if r == nil {
		return ""
	}
	if mac, ok := r.macs[rival]; ok {
		return mac.String()
	}
	return ""
}

// reported takes a report of a rival that came, that turned out to be an owner too,
// or that no longer sends.
func (rv *rivals) reported(r speaker.Report) {
	if r.Drop != vrrp.DropNone {
		rv.publishRefused(&r)
		return
	}
	known := rv.known[r.Router]
	r.To = vrrp.Master // only a MASTER has rivals
	switch {
	case r.Peer == nil:
		rv.end(r)
	case known != nil:
		rv.publishSeen(known)
		known.report = r
		known.published = false
		rv.publishSeen(known)
	default:
		rv.begin(r)
	}
}

// begin listens to what the rival sends. Its next advert tells its MAC
// address, for which the news waits a little.
func (rv *rivals) begin(r speaker.Report) {
	in := rv.instance(r.Router)
	if in == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	v := &rivalry{report: r, family: in.conf.Family, macs: map[netip.Addr]frame.MAC{}, cancel: cancel}
	rv.known[r.Router] = v
	post := func(f func()) {
		rv.post(func() {
			if rv.known[r.Router] == v {
				f()
			}
		})
	}
	if len(rv.known) > maxListening {
		rv.publishSeen(v) // without its MAC address
		return
	}
	name, index, vrid := in.conf.Interface, in.facts.Index, in.conf.VRID
	last := map[netip.Addr]frame.MAC{}
	rv.spawn(func() {
		err := port.Overhear(ctx, name, index, v.family == vrrp.IPv6, vrid, func(source netip.Addr, mac frame.MAC) {
			if last[source] != mac {
				remember(last, source, mac)
				post(func() { rv.overheard(v, source, mac) })
			}
		})
		if err != nil {
			rv.log.Warn("the MAC address of a rival is not known", "vrrp", r.Router, "err", err)
		}
	})
	wait := time.AfterFunc(min(2*r.Peer.Interval, maxMACWait), func() { post(func() { rv.publishSeen(v) }) })
	context.AfterFunc(ctx, func() { wait.Stop() })
}

// overheard notes where adverts of a rival's virtual router come from.
func (rv *rivals) overheard(v *rivalry, source netip.Addr, mac frame.MAC) {
	remember(v.macs, source, mac)
	if source == v.report.Peer.Address {
		rv.publishSeen(v)
	}
}

// remember notes the MAC of a sender. When there are too many it begins anew: one
// that goes on sending is soon there again.
func remember(macs map[netip.Addr]frame.MAC, source netip.Addr, mac frame.MAC) {
	if _, known := macs[source]; !known && len(macs) >= maxOverheard {
		clear(macs)
	}
	macs[source] = mac
}

// publishSeen publishes that a rival came, once.
func (rv *rivals) publishSeen(v *rivalry) {
	if v.published {
		return
	}
	v.published = true
	rv.publishRival(v, &v.report, event.RivalSeen, v.report.Why)
}

// end publishes that there is no rival any more, if there was one: it no longer
// sends, or the instance is not MASTER any more.
func (rv *rivals) end(r speaker.Report) {
	v := rv.known[r.Router]
	if v == nil {
		return
	}
	rv.publishSeen(v)
	rv.publishRival(v, &r, event.RivalGone, r.Why)
	v.cancel()
	delete(rv.known, r.Router)
}

// publishRival publishes that a rival came or went. The report says what the
// instance is at that moment.
func (rv *rivals) publishRival(v *rivalry, r *speaker.Report, to, why string) {
	p := v.report.Peer
	e := event.Event{
		At: r.At, Kind: event.KindRival, Subject: r.Router, To: to, Reason: why,
		Detail:   map[string]string{"address": p.Address.String(), "priority": strconv.Itoa(int(p.Priority))},
		Instance: rv.about(r),
	}
	log := rv.log.With("vrrp", e.Subject, "address", p.Address, "priority", p.Priority)
	if mac := v.mac(p.Address); mac != "" {
		e.Detail["mac"] = mac
		log = log.With("mac", mac)
	}
	log.Warn("rival MASTER "+to, "reason", why)
	rv.publish(e)
}

// publishRefused publishes that a router whose adverts are refused advertises as
// MASTER beside an instance of ours, or no longer does.
func (rv *rivals) publishRefused(r *speaker.Report) {
	to := event.RivalSeen
	if r.Gone {
		to = event.RivalGone
	}
	p := r.Peer
	e := event.Event{
		At: r.At, Kind: event.KindRival, Subject: r.Router, To: to, Reason: r.Why,
		Detail: map[string]string{
			"address": p.Address.String(), "priority": strconv.Itoa(int(p.Priority)), "refused": r.Drop.String(),
		},
		Instance: rv.about(r),
	}
	rv.log.Warn("rival MASTER "+to, "vrrp", e.Subject, "address", p.Address, "priority", p.Priority, "refused", r.Drop.String(), "reason", r.Why)
	rv.publish(e)
}

// leftMaster ends the rivalry of an instance that is not MASTER any more: then the
// other router is no rival.
func (rv *rivals) leftMaster(r speaker.Report) {
	if r.Router != "" && r.From == vrrp.Master {
		r.Why = fmt.Sprintf("%s is %s now", r.Router, r.To)
		rv.end(r)
	}
}

// report adds to the status the addresses that rivals send from.
func (rv *rivals) report(s *status.Status) {
	for i := range s.VRRP {
		if rival := s.VRRP[i].Rival; rival != nil {
			address, _ := netip.ParseAddr(rival.Address) // which was one
			rival.MAC = rv.known[s.VRRP[i].Name].mac(address)
		}
	}
}

// close ends the listening for all.
func (rv *rivals) close() {
	for name, v := range rv.known {
		v.cancel()
		delete(rv.known, name)
	}
}
