package director

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"holdfast/cmd/internal/bfd"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

const (
	// fastUserPrefix begins the names of the sessions of virtual routers with fast.
	fastUserPrefix = "fast-"
	// fastIdle is how long a session stays that nobody has use for.
	fastIdle = time.Minute
	// maxFastGuests bounds the sessions on an interface that others began.
	maxFastGuests = 8
	// fastUnwatched is how often a BACKUP has to send. Its MASTER only needs to know that
	// somebody watches it, and each packet costs both of them a turn of the VRRP loop.
	fastUnwatched = time.Second
	// unboostedDetection is the shortest detection time without real-time priority.
	unboostedDetection = 100 * time.Millisecond
)

// A fastSessions is the subsystem of the BFD sessions by which virtual routers with fast
// learn that their MASTER is dead: one for each router on an interface, however many
// virtual routers there are. A BACKUP begins the session; the MASTER learns of the BACKUP
// by its first packet. Only the packets of a router that is watched come at the configured
// interval: see fastUnwatched.
type fastSessions struct {
	base
	sessions  func() *bfd.Speaker
	vrrp      func() *speaker.Speaker
	realtime  func() error                // why the VRRP loop has no real-time priority; nil: it has
	instances func() map[string]*instance // by name

	timers  bfd.Timers
	slow    bool                 // timers are longer than configured
	masters map[string]bool      // instances that are MASTER
	wants   map[string][]fastKey // by instance: the sessions that it wants, one for each path
	wanting map[fastKey]int      // how many instances want a session
	peers   map[fastKey]*fastPeer
	left    map[string]bfd.SavedSession // of the former binary, until the first apply
}

// A fastKey is an interface and the router at the other end of a session.
type fastKey struct {
	iface string
	peer  netip.Addr
}

func (k fastKey) user() string { return fastUserPrefix + k.iface + "-" + k.peer.String() }

// A fastPeer is a session of ours.
type fastPeer struct {
	source netip.Addr
	wanted bool // an instance wants it: the other end is watched
	up     bool
	used   time.Time // when an instance last had use for it
}

func newFastSessions(b base) *fastSessions {
	return &fastSessions{
		base: b, masters: map[string]bool{}, wants: map[string][]fastKey{}, wanting: map[fastKey]int{}, peers: map[fastKey]*fastPeer{},
	}
}

func (f *fastSessions) restore(u *upgradeState) { f.left = u.BFD }

func (f *fastSessions) apply(c *conf.Config) {
	former := f.timers
	f.setTimers(&c.Director.Fast)
	f.listen(c)
	now := time.Now()
	if f.timers != former {
		for k, p := range f.peers {
			f.add(k, p)
		}
	}
	for name, s := range f.left { // their neighbours wait for our next packets
		if strings.HasPrefix(name, fastUserPrefix) {
			k := fastKey{s.Config.Interface, s.Config.Neighbour}
			f.peers[k] = &fastPeer{source: s.Config.Source, wanted: s.Config.MinRx < fastUnwatched, used: now}
			f.add(k, f.peers[k])
		}
	}
	f.left = nil
	f.sweep(now)
}

// setTimers takes over the configured timers. Without real-time priority packets of a
// busy machine are late, and a short detection time would be over without cause.
func (f *fastSessions) setTimers(c *conf.Fast) {
	f.timers = bfd.Timers{MinTx: c.MinTx, MinRx: c.MinRx, IdleTx: max(time.Second, c.MinTx), Multiplier: c.Multiplier}
	f.slow = false
	if why := f.realtime(); why != nil && c.Detection() < unboostedDetection {
		interval := (unboostedDetection + time.Duration(c.Multiplier) - 1) / time.Duration(c.Multiplier)
		f.timers.MinTx, f.timers.MinRx = max(c.MinTx, interval), max(c.MinRx, interval)
		f.slow = true
	}
}

// listen has BACKUPs on the interfaces of instances with fast be heard.
func (f *fastSessions) listen(c *conf.Config) {
	var wires []bfd.Wire
	for i := range c.VRRP {
		in := &c.VRRP[i]
		if !in.Fast {
			continue
		}
		for _, name := range in.Wires() {
			if w := (bfd.Wire{Interface: name, V6: in.Family == vrrp.IPv6}); !slices.Contains(wires, w) {
				wires = append(wires, w)
			}
		}
	}
	if len(wires) > 0 && f.slow {
		f.log.Warn("fast: without real-time priority a dead MASTER is detected later than configured",
			"detection", unboostedDetection, "err", f.realtime())
	}
	f.sessions().Listen(wires, func(s bfd.Stranger) { f.post(func() { f.met(s) }) })
}

// interval is how often packets of a session arrive at least.
func (f *fastSessions) interval() time.Duration { return max(f.timers.MinTx, f.timers.MinRx) }

// wanted takes note of the sessions that an instance wants.
func (f *fastSessions) wanted(r *speaker.Report) {
	var keys []fastKey
	in := f.instances()[r.Router]
	for _, s := range r.Sessions {
		keys = append(keys, fastKey{s.Interface, s.Peer})
	}
	if in == nil {
		keys = nil
	}
	f.want(r.Router, keys)
	if in != nil {
		f.meetAll(in)
	}
	f.review()
}

// want takes note of the sessions that an instance wants from now on.
func (f *fastSessions) want(name string, keys []fastKey) {
	for _, k := range f.wants[name] {
		if f.wanting[k]--; f.wanting[k] == 0 {
			delete(f.wanting, k)
		}
	}
	delete(f.wants, name)
	if len(keys) > 0 {
		f.wants[name] = keys
	}
	for _, k := range keys {
		f.wanting[k]++
	}
}

// review changes the timers of sessions whose other end is now watched, or no more.
func (f *fastSessions) review() {
	for k, p := range f.peers {
		if p.wanted != f.isWanted(k) {
			p.wanted = !p.wanted
			f.add(k, p)
		}
	}
}

// meetAll begins the sessions that an instance wants. One on a path that a reload has
// removed is wanted no more.
func (f *fastSessions) meetAll(in *instance) {
	name := in.conf.Name
	gone := func(k fastKey) bool { return !slices.Contains(in.conf.Wires(), k.iface) }
	if slices.ContainsFunc(f.wants[name], gone) {
		f.want(name, slices.DeleteFunc(slices.Clone(f.wants[name]), gone))
	}
	for _, k := range f.wants[name] {
		if s := in.sourceOn(k.iface); s.IsValid() {
			f.meet(k, s)
		}
	}
}

// met handles a router that begins a session. Whoever may be MASTER for an instance with
// fast on its interface may also be its BACKUP.
func (f *fastSessions) met(s bfd.Stranger) {
	k := fastKey{s.Interface, s.Source}
	guests := 0
	for other := range f.peers {
		if other.iface == k.iface && !f.isWanted(other) {
			guests++
		}
	}
	for _, in := range f.instances() {
		if f.admits(in, k) && in.sourceOn(k.iface) == s.Ours && guests < maxFastGuests {
			f.meet(k, s.Ours)
			return
		}
	}
}

// admits reports whether an instance has use for a session as its MASTER.
func (f *fastSessions) admits(in *instance, k fastKey) bool {
	path := slices.Index(in.conf.Wires(), k.iface)
	if !in.conf.Fast || path < 0 {
		return false
	}
	peers := in.conf.OnPath(path).Peers
	return len(peers) == 0 || slices.ContainsFunc(peers, func(p vrrp.PeerConfig) bool { return p.Address == k.peer })
}

// meet begins a session unless there is one.
func (f *fastSessions) meet(k fastKey, source netip.Addr) {
	p := f.peers[k]
	if p == nil || p.source != source {
		p = &fastPeer{source: source, wanted: f.isWanted(k)}
		f.peers[k] = p
		f.add(k, p)
	}
	p.used = time.Now()
}

// timersOf returns the timers of a session: who is watched sends often, who only watches
// does not.
func (f *fastSessions) timersOf(p *fastPeer) bfd.Timers {
	t := f.timers
	if !p.wanted {
		t.MinRx = max(t.MinRx, fastUnwatched)
	}
	return t
}

// add gives the session to the BFD speaker, with the timers in force.
func (f *fastSessions) add(k fastKey, p *fastPeer) {
	v := f.vrrp()
	f.sessions().Add(bfd.User{
		Config: bfd.Config{
			Name: k.user(), Neighbour: k.peer, Source: p.source, Interface: k.iface,
			TTL: bfd.HopLimit, MinTTL: bfd.HopLimit, Timers: f.timersOf(p),
		},
		Heed: func(c bfd.Change) {
			switch {
			case c.To == bfd.Up:
				v.SessionUp(k.iface, k.peer)
			case c.From == bfd.Up:
				v.SessionDown(k.iface, peerDown(k.peer, &c))
			}
			f.post(func() { p.up = c.To == bfd.Up })
		},
	})
}

// peerDown says what the fall of a session means.
func peerDown(peer netip.Addr, c *bfd.Change) vrrp.PeerDown {
	down := vrrp.PeerDown{Peer: peer, Cause: vrrp.DownTold, Interval: c.Interval}
	switch {
	case c.To == bfd.AdminDown, c.Verdict != bfd.VerdictDown: // the neighbour is in AdminDown
		down.Cause = vrrp.DownAdmin
	case c.Late != 0:
		down.Cause = vrrp.DownLate
	case c.Diag == bfd.DiagExpired:
		down.Cause = vrrp.DownSilent
	}
	return down
}

func (f *fastSessions) isWanted(k fastKey) bool { return f.wanting[k] > 0 }

// handle follows which instances are MASTER.
func (f *fastSessions) handle(e *event.Event) {
	if e.Kind == event.KindInstance {
		f.stateIs(e.Subject, e.To == event.Master)
	}
}

// stateIs notes whether an instance or group is MASTER.
func (f *fastSessions) stateIs(name string, master bool) { f.masters[name] = master }

// tick has sessions come from the addresses that interfaces have now, and ends those
// that nobody has use for.
func (f *fastSessions) tick() {
	for name := range f.wants {
		if in := f.instances()[name]; in != nil {
			f.meetAll(in)
		}
	}
	f.sweep(time.Now())
}

// sweep ends the sessions that nobody has had use for in a while: no instance wants
// them, and those of a BACKUP of ours have come down.
func (f *fastSessions) sweep(now time.Time) {
	for name := range f.wants {
		if in := f.instances()[name]; in == nil || !in.conf.Fast {
			f.want(name, nil)
		}
	}
	f.review()
	masters := f.mastersOn()
	for k, p := range f.peers {
		switch {
		case f.isWanted(k), p.up && masters[k.iface]:
			p.used = now
		case now.Sub(p.used) > fastIdle:
			delete(f.peers, k)
			f.sessions().Remove(k.user())
			f.vrrp().SessionDown(k.iface, vrrp.PeerDown{Peer: k.peer, Cause: vrrp.DownAdmin})
		}
	}
}

// mastersOn returns the interfaces on which an instance with fast is MASTER.
func (f *fastSessions) mastersOn() map[string]bool {
	on := map[string]bool{}
	for _, in := range f.instances() {
		if in.conf.Fast && f.masters[in.conf.Name] {
			for _, name := range in.conf.Wires() {
				on[name] = true
			}
		}
	}
	return on
}

// changed publishes whether a lost session makes an instance take over, or why not.
func (f *fastSessions) changed(r *speaker.Report) {
	e := event.Event{At: r.At, Kind: event.KindFast, Subject: r.Router, To: event.FastPlain, Reason: r.Why}
	if r.Armed {
		e.To, e.Reason = event.FastArmed, fmt.Sprintf("a BFD session watches %v", r.Peer.Address)
	}
	f.log.Info("fast", "vrrp", r.Router, "to", e.To, "reason", e.Reason)
	f.publish(e)
}

// report adds, to each instance with fast, what its sessions are. The sessions of the
// status are there already.
func (f *fastSessions) report(st *status.Status) {
	sessions := sessionsOf(st)
	for i := range st.VRRP {
		v := &st.VRRP[i]
		if v.Fast == nil {
			continue
		}
		v.Fast.IntervalMS, v.Fast.Multiplier = ms(f.interval()), int(f.timers.Multiplier)
		if s := sessions.with(v.Interface, v.Fast.Peer); v.Fast.Armed && s != nil && s.Remote != nil && s.DetectionMS > 0 {
			v.Fast.Multiplier = s.Remote.Multiplier
			v.Fast.IntervalMS = s.DetectionMS / float64(s.Remote.Multiplier)
		}
		if v.State != event.Master {
			continue
		}
		for k, p := range f.peers {
			if p.up && goesBy(v, k.iface) && k.peer.Is6() == (v.Family == vrrp.IPv6.String()) {
				v.Fast.Backups = append(v.Fast.Backups, k.peer.String())
				if s := sessions.with(k.iface, k.peer.String()); s != nil {
					v.Fast.IntervalMS = max(v.Fast.IntervalMS, s.TxMS)
				}
			}
		}
		slices.Sort(v.Fast.Backups)
	}
}

// goesBy reports whether an interface is one of the paths of an instance.
func goesBy(v *status.Instance, iface string) bool {
	return v.Interface == iface || slices.ContainsFunc(v.Paths, func(p status.Path) bool { return p.Interface == iface })
}

// statusSessions are the single-hop sessions of a status, by interface and neighbour.
type statusSessions map[[2]string]*status.BFDSession

func sessionsOf(st *status.Status) statusSessions {
	all := statusSessions{}
	if st.BFD == nil {
		return all
	}
	for i := range st.BFD.Sessions {
		if s := &st.BFD.Sessions[i]; !s.Multihop {
			all[[2]string{s.Interface, s.Neighbour}] = s
		}
	}
	return all
}

// with returns the session with a neighbour that watches an interface; nil: there is none.
func (all statusSessions) with(iface, neighbour string) *status.BFDSession {
	if s := all[[2]string{iface, neighbour}]; s != nil {
		return s
	}
	return all[[2]string{"", neighbour}] // of the configuration, for every interface
}

// fastStatus is what the machine of an instance says of fast; nil without fast.
func fastStatus(c *conf.Instance, m *vrrp.Status) *status.Fast {
	if !c.Fast {
		return nil
	}
	s := &status.Fast{
		Armed: m.Fast.Armed, Why: m.Fast.Why, Until: m.Fast.Until,
		Takeovers: m.Counters.FastTakeovers, Flaps: m.Counters.FastFlaps,
		QuestionsSent: m.Counters.BackupSent, QuestionsReceived: m.Counters.BackupReceived,
	}
	if m.Fast.Peer.IsValid() {
		s.Peer = m.Fast.Peer.String()
	} else if m.State == vrrp.Backup {
		s.Why = "no MASTER has been heard"
	}
	return s
}
