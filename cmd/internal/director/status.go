package director

import (
	"net"
	"os"
	"slices"
	"time"

	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/netdev/frame"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// status is everything that is known at this moment.
func (d *Director) status() (*status.Status, error) {
	s, err := d.vrrpStatus()
	if err != nil {
		return nil, err
	}
	s.Checks, s.Notify, s.LVS = d.checks.Status(), d.outlets(), d.lvsStatus()
	for _, part := range d.subsystems {
		part.report(s)
	}
	return s, nil
}

// vrrpStatus is status without what has nothing to do with virtual routers, and
// takes less time by that.
func (d *Director) vrrpStatus() (*status.Status, error) {
	snap, err := d.speaker.Snapshot()
	if err != nil {
		return nil, err
	}
	s := &status.Status{
		Version: status.Version, Director: d.conf.Director.Name, Software: d.opts.Version,
		PID: os.Getpid(), Started: d.started, Now: snap.At,
		Config:   status.Config{Path: d.opts.Path, LoadedAt: d.loaded},
		Realtime: d.realtime == nil,
		VRRP:     []status.Instance{}, Groups: []status.Group{},
		Dropped: dropped(&snap.Dropped), UnknownVRID: d.before.UnknownVRID,
	}
	for reason, n := range d.before.Dropped {
		s.Dropped[reason] += n
	}
	for _, stray := range snap.Stray {
		s.UnknownVRID += stray.UnknownVRID
	}
	if d.realtime != nil {
		s.RealtimeNote = d.realtime.Error()
	}
	if r := d.reloaded; !r.at.IsZero() {
		s.Config.LastReload = &status.Reload{At: r.at, OK: r.err == nil}
		if r.err != nil {
			s.Config.LastReload.Error = r.err.Error()
		}
	}
	for i := range d.conf.VRRP {
		c := &d.conf.VRRP[i]
		if st, ok := snap.Routers[c.Name]; ok {
			i := instanceStatus(c, &st, snap.At)
			d.instances[c.Name].addStatus(&i)
			if i.Rival != nil {
				i.Rival.MAC = d.rivals[c.Name].mac(st.Machine.Rival.Address)
			}
			i.Routes, i.Rules = d.policyStatus(c)
			s.VRRP = append(s.VRRP, i)
		}
	}
	for _, g := range d.conf.Groups {
		if st, ok := snap.Groups[g.Name]; ok {
			s.Groups = append(s.Groups, status.Group{
				Name: g.Name, State: st.State.String(), Members: st.Members, Since: st.Since,
			})
		}
	}
	return s, nil
}

// addStatus adds what is known of the interface, and what was counted before.
func (in *instance) addStatus(i *status.Instance) {
	if in == nil {
		return
	}
	i.IfIndex, i.Counters = in.index, i.Counters.Plus(in.before)
	if in.conf.MAC.Mode == conf.MACInterface && in.facts.MAC != (frame.MAC{}) {
		i.MAC = in.facts.MAC.String()
	}
}

func instanceStatus(c *conf.Instance, st *speaker.Status, now time.Time) status.Instance {
	m := &st.Machine
	i := status.Instance{
		Name: c.Name, Group: st.Group, Interface: c.Interface, Device: c.Device,
		Family: c.Family.String(), VRID: int(c.VRID), Protocol: int(c.Version),
		State: m.State.String(), Since: m.Since, Why: m.Why, UpSince: m.UpSince, Takeover: m.Takeover.String(), Holding: m.Holding,
		Priority: int(c.Priority), EffectivePriority: int(m.Priority), IntervalMS: ms(c.Interval),
		Preempt: c.Preempt, Addresses: prefixTexts(slices.Concat(c.Prefixes, c.Excluded)),
		Master: peer(&m.Master), Rival: peer(&m.Rival), Reasons: []status.Reason{},
		Excluded: prefixTexts(c.Excluded), Counters: counters(st),
	}
	if s := st.SendFailure; s != nil && m.State == vrrp.Master {
		i.Silenced = &status.Reason{Key: "send", Text: s.Problem, Since: s.Since}
	}
	if c.MAC.Mode != conf.MACInterface {
		i.MAC = net.HardwareAddr(c.MAC.Address[:]).String()
	}
	if st.Source.IsValid() {
		i.Source = st.Source.String()
	}
	for _, p := range c.Extra {
		on := func(a conf.Address) bool { return a.Interface != p.Interface }
		i.Elsewhere = append(i.Elsewhere, status.Place{
			Interface: p.Interface, Device: p.Device,
			Addresses: prefixTexts(slices.DeleteFunc(slices.Concat(c.Prefixes, c.Excluded), on)),
		})
	}
	if !c.Unicast {
		i.Multicast = c.MulticastGroup().String()
	}
	i.Refused, i.Egress = !c.Accept, c.Egress
	i.Unicast, i.Auth = c.Unicast, c.Auth.Name()
	for _, p := range c.Peers {
		i.Peers = append(i.Peers, p.Address.String())
	}
	i.CededTo = peer(&m.Ceded)
	for _, w := range m.Waits {
		if w.Until.After(now) {
			i.Waits = append(i.Waits, status.Wait{Key: w.Why, Until: w.Until})
		}
	}
	for _, f := range m.Faults {
		i.Reasons = append(i.Reasons, status.Reason{Key: f.Key, Text: f.Problem, Since: f.Since})
	}
	return i
}

func counters(st *speaker.Status) status.Counters {
	m, c := &st.Machine.Counters, &st.Counters
	out := status.Counters{
		AdvertsSent: m.Sent, AdvertsReceived: m.Received, StopSent: m.StopSent, StopReceived: m.StopReceived,
		RivalAdverts: m.RivalAdverts, AddressMismatch: c.AddressMismatch, Transitions: m.Transitions,
		AnnouncementsOut: c.Announced, Dropped: dropped(&c.Dropped),
		AdvertsLate: c.Late, MaxLateMS: ms(c.MaxLate),
		Since: c.Since, BecameMaster: m.BecameMaster, IntervalDiffers: c.IntervalDiffers, LastError: c.LastError.String(),
	}
	return out
}

// dropped names counts that are not zero.
func dropped(counts *[vrrp.NumDrops]uint64) map[string]uint64 {
	names := map[string]uint64{}
	for drop, n := range counts {
		if n > 0 {
			names[vrrp.Drop(drop).String()] = n
		}
	}
	return names
}

func peer(p *vrrp.Peer) *status.Peer {
	if !p.Address.IsValid() {
		return nil
	}
	return &status.Peer{
		Address: p.Address.String(), Priority: int(p.Priority),
		IntervalMS: ms(p.Interval), LastHeard: p.LastHeard,
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// lvsStatus is the table, nil when the configuration has nothing for IPVS.
func (d *Director) lvsStatus() *status.LVS {
	if !needsIPVS(d.conf) {
		return nil
	}
	services, daemons, err := d.balance.status()
	l := &status.LVS{Error: d.ipvsError, Services: services, Repairs: d.repairs}
	if err != nil && l.Error == "" {
		l.Error = err.Error()
	}
	if c := d.conf.LVS.Sync; c.Interface != "" {
		l.Sync = &status.Sync{Interface: c.Interface, ID: int(c.ID), Follow: c.Follow, Roles: []string{}}
		for _, daemon := range daemons {
			l.Sync.Roles = append(l.Sync.Roles, daemon.Role.String())
		}
	}
	return l
}
