package director

import (
	"net"
	"slices"
	"time"

	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/netdev/frame"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// addStatus adds what is known of virtual routers and groups. It fails only when
// the VRRP loop has ended.
func (rs *routers) addStatus(s *status.Status) error {
	snap, err := rs.speaker.Snapshot()
	if err != nil {
		return err
	}
	s.Now, s.VRRP, s.Groups = snap.At, make([]status.Instance, 0, len(snap.Routers)), make([]status.Group, 0, len(snap.Groups))
	if s.Realtime = rs.realtime == nil; !s.Realtime {
		s.RealtimeNote = rs.realtime.Error()
	}
	s.Dropped, s.UnknownVRID = dropped(&snap.Dropped), rs.before.UnknownVRID
	for reason, n := range rs.before.Dropped {
		s.Dropped[reason] += n
	}
	s.AdvertLateness = snap.Lateness.Plus(rs.before.AdvertLateness)
	s.Repairs = rs.repair.repairs
	for _, stray := range snap.Stray {
		s.UnknownVRID += stray.UnknownVRID
	}
	for i := range rs.conf.VRRP {
		c := &rs.conf.VRRP[i]
		if st, ok := snap.Routers[c.Name]; ok {
			i := instanceStatus(c, st, snap.At)
			rs.instances[c.Name].addStatus(&i)
			i.Routes, i.Rules = rs.policyStatus(c)
			s.VRRP = append(s.VRRP, i)
		}
	}
	for _, g := range rs.conf.Groups {
		if st, ok := snap.Groups[g.Name]; ok {
			s.Groups = append(s.Groups, status.Group{
				Name: g.Name, State: st.State.String(), Members: st.Members, Since: st.Since,
			})
		}
	}
	return nil
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
	for j := range st.Refused {
		i.RefusedSpeakers = append(i.RefusedSpeakers, refusedSpeaker(&st.Refused[j]))
	}
	i.RefusedForgotten = st.RefusedForgotten
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
		i.ExtraInterfaces = append(i.ExtraInterfaces, status.ExtraInterface{
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
	i.Paths = pathsStatus(c, st)
	i.CededTo = peer(&m.Ceded)
	i.Fast = fastStatus(c, m)
	for _, w := range m.Waits {
		if w.Text != "" || w.Until.After(now) {
			i.Waits = append(i.Waits, status.Wait{Key: w.Why, Until: w.Until, Text: w.Text})
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
		Since: c.Since, BecameMaster: m.BecameMaster, Moves: moves(&m.Moves), IntervalDiffers: c.IntervalDiffers, LastError: c.LastError.String(),
	}
	return out
}

// moves names transitions that occurred.
func moves(counts *[vrrp.NumStates][vrrp.NumStates]uint64) map[string]uint64 {
	names := map[string]uint64{}
	for from := range counts {
		for to, n := range counts[from] {
			if n > 0 {
				names[vrrp.State(from).String()+" "+vrrp.State(to).String()] = n
			}
		}
	}
	return names
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

func refusedSpeaker(s *speaker.RefusedSpeaker) status.RefusedSpeaker {
	return status.RefusedSpeaker{
		Address: s.Source.String(), Priority: int(s.Priority), IntervalMS: ms(s.Interval), Reason: s.Reason.String(),
		Problem: s.Problem, Since: s.Since, LastHeard: s.Last, Count: s.Count, Advertises: s.Advertises,
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// restoreCounts takes over what the former binary had counted.
func (rs *routers) restoreCounts(c *counts) {
	rs.before = counts{Dropped: c.Dropped, UnknownVRID: c.UnknownVRID, AdvertLateness: c.AdvertLateness}
	rs.repair.repairs += c.DeviceRepairs
	for name, before := range c.Instances {
		if in := rs.instances[name]; in != nil {
			in.before = before
		}
	}
}
