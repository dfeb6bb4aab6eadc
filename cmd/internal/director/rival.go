package director

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/netdev/frame"
	"holdfast/netdev/port"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// maxMACWait bounds the time for which the news of a rival waits for the advert
// that tells its MAC address.
const maxMACWait = 1500 * time.Millisecond

// maxOverheard bounds how many speakers are remembered: whoever can send on the
// wire can send from as many addresses as he likes.
const maxOverheard = 64

// A rivalry is the time in which another router speaks as MASTER beside an
// instance. Only then are the MAC addresses of adverts listened to.
type rivalry struct {
	news   speaker.Report // of its coming
	family vrrp.Family
	macs   map[netip.Addr]frame.MAC // of all who were overheard, by address
	told   bool
	cancel context.CancelFunc // ends the listening
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

// rivalNews hears of a rival that came, that turned out to be an owner too, or
// that has fallen silent.
func (d *Director) rivalNews(r speaker.Report) {
	known := d.rivals[r.Router]
	r.To = vrrp.Master // only a MASTER has rivals
	switch {
	case r.Peer == nil:
		d.endRivalry(r)
	case known != nil:
		d.tellRival(known)
		known.news = r
		known.told = false
		d.tellRival(known)
	default:
		d.beginRivalry(r)
	}
}

// beginRivalry listens to what the rival sends. Its next advert tells its MAC
// address, for which the news waits a little.
func (d *Director) beginRivalry(r speaker.Report) {
	in := d.instances[r.Router]
	if in == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	v := &rivalry{news: r, family: in.conf.Family, macs: map[netip.Addr]frame.MAC{}, cancel: cancel}
	d.rivals[r.Router] = v
	post := func(f func()) {
		d.mail.post(func() {
			if d.rivals[r.Router] == v {
				f()
			}
		})
	}
	name, vrid := in.conf.Interface, in.conf.VRID
	last := map[netip.Addr]frame.MAC{}
	d.threads.Go(func() {
		err := port.Overhear(ctx, name, v.family == vrrp.IPv6, vrid, func(source netip.Addr, mac frame.MAC) {
			if last[source] != mac {
				remember(last, source, mac)
				post(func() { d.overheard(v, source, mac) })
			}
		})
		if err != nil {
			d.log.Warn("the MAC address of a rival is not known", "vrrp", r.Router, "err", err)
		}
	})
	wait := time.AfterFunc(min(2*r.Peer.Interval, maxMACWait), func() { post(func() { d.tellRival(v) }) })
	context.AfterFunc(ctx, func() { wait.Stop() })
}

// overheard notes where adverts of a rival's virtual router come from.
func (d *Director) overheard(v *rivalry, source netip.Addr, mac frame.MAC) {
	remember(v.macs, source, mac)
	if source == v.news.Peer.Address {
		d.tellRival(v)
	}
}

// remember notes a speaker. Where there are too many it begins anew: who goes on
// speaking is soon there again.
func remember(macs map[netip.Addr]frame.MAC, source netip.Addr, mac frame.MAC) {
	if _, known := macs[source]; !known && len(macs) >= maxOverheard {
		clear(macs)
	}
	macs[source] = mac
}

// tellRival tells of a rival, once.
func (d *Director) tellRival(v *rivalry) {
	if v.told {
		return
	}
	v.told = true
	d.publishRival(v, &v.news, event.RivalSeen, v.news.Why)
}

// endRivalry tells that there is no rival any more, if there was one: because of a
// report that it is silent, or that the instance is not MASTER any more.
func (d *Director) endRivalry(r speaker.Report) {
	v := d.rivals[r.Router]
	if v == nil {
		return
	}
	d.tellRival(v)
	d.publishRival(v, &r, event.RivalGone, r.Why)
	v.cancel()
	delete(d.rivals, r.Router)
}

// publishRival publishes that a rival came or went. The report says what the
// instance is at that moment.
func (d *Director) publishRival(v *rivalry, r *speaker.Report, to, why string) {
	p := v.news.Peer
	e := event.Event{
		At: r.At, Kind: event.KindRival, Subject: r.Router, To: to, Reason: why,
		Detail:   map[string]string{"address": p.Address.String(), "priority": strconv.Itoa(int(p.Priority))},
		Instance: d.eventInstance(r),
	}
	log := d.log.With("vrrp", e.Subject, "address", p.Address, "priority", p.Priority)
	if mac := v.mac(p.Address); mac != "" {
		e.Detail["mac"] = mac
		log = log.With("mac", mac)
	}
	log.Warn("rival MASTER "+to, "reason", why)
	d.publish(e)
}

// leftMaster ends the rivalry of an instance that is not MASTER any more: whoever
// is speaks by right.
func (d *Director) leftMaster(r speaker.Report) {
	if r.Router != "" && r.From == vrrp.Master {
		r.Why = fmt.Sprintf("%s is %s now", r.Router, r.To)
		d.endRivalry(r)
	}
}

// endRivalries ends the listening for all.
func (d *Director) endRivalries() {
	for name, v := range d.rivals {
		v.cancel()
		delete(d.rivals, name)
	}
}
