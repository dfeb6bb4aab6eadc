package director

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/notify"
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
	switch {
	case r.Peer == nil:
		if d.endRivalry(r.Router, r.At, r.Why) {
			d.notifyRival(known, notify.RivalGone, r)
		}
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
	d.noteRival(v, control.Event{At: v.news.At, To: control.RivalSeen, Reason: v.news.Why})
	d.notifyRival(v, notify.Rival, v.news)
}

// endRivalry tells that there is no rival any more. Without one it does nothing
// and returns false.
func (d *Director) endRivalry(router string, at time.Time, why string) bool {
	v := d.rivals[router]
	if v == nil {
		return false
	}
	d.tellRival(v)
	d.noteRival(v, control.Event{At: at, To: control.RivalGone, Reason: why})
	v.cancel()
	delete(d.rivals, router)
	return true
}

// noteRival writes to journal and log what the event says of a rival.
func (d *Director) noteRival(v *rivalry, e control.Event) {
	p := v.news.Peer
	e.Kind, e.Subject = control.KindRival, v.news.Router
	e.Detail = map[string]string{"address": p.Address.String(), "priority": strconv.Itoa(int(p.Priority))}
	log := d.log.With("vrrp", e.Subject, "address", p.Address, "priority", p.Priority)
	if mac := v.mac(p.Address); mac != "" {
		e.Detail["mac"] = mac
		log = log.With("mac", mac)
	}
	log.Warn("rival MASTER "+e.To, "reason", e.Reason)
	d.note(e)
}

// notifyRival runs the script for a rival that came, or that went while the
// instance is still MASTER; otherwise its change of state tells enough.
func (d *Director) notifyRival(v *rivalry, state string, r speaker.Report) {
	p := v.news.Peer
	d.notifyInstance(r.Router, r.Priority, notify.Event{
		State: state, OldState: notify.Master, Reason: r.Why, At: r.At,
		Rival: &notify.Peer{Address: p.Address.String(), Priority: int(p.Priority), MAC: v.mac(p.Address)},
	})
}

// leftMaster ends the rivalry of an instance that is not MASTER any more: whoever
// is speaks by right.
func (d *Director) leftMaster(r speaker.Report) {
	if r.Router != "" && r.From == vrrp.Master {
		d.endRivalry(r.Router, r.At, fmt.Sprintf("%s is %s now", r.Router, r.To))
	}
}

// endRivalries ends the listening for all.
func (d *Director) endRivalries() {
	for name, v := range d.rivals {
		v.cancel()
		delete(d.rivals, name)
	}
}
