package director

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"holdfast/cmd/internal/dbus"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/netdev"
	"holdfast/netdev/frame"
	"holdfast/netdev/port"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// Keys of the faults that the director raises in an instance.
const (
	faultLink    = "link"
	faultAddress = "address"
	faultDevice  = "device"
	faultMTU     = "mtu"
	faultTrack   = "track:" // and the tracker's name
)

// unitsPerTurn bounds how many units the speaker gets at a time: it makes their
// frames, and must not be late with the adverts of others meanwhile.
const unitsPerTurn = 128

// An instance is a virtual router on its interface.
type instance struct {
	conf conf.Instance
	unit string
	// What was last told to the speaker.
	facts  netdev.Interface
	index  int // the interface's, while there is none its last one
	faults map[string]vrrp.Faulted
	device netdev.Device // with what is true of any of its devices

	extra        map[string]netdev.Interface // where it has addresses beside
	extraPortErr error                       // why the port is not open there
	stale        bool                        // its devices are not what its configuration wants

	track   []conf.Tracking         // what counts for it
	tracked map[string]vrrp.Faulted // by trackers, as told to the speaker; so is
	weight  int                     // what they add to the priority
	awaits  map[string]bool         // trackers that are not known since it started

	missing map[string]string // routes and rules that are not there, and why, as logged

	portErr error // why the port is not open on the interface
	added   bool  // the speaker has it

	before status.Counters // what the binary before this one had counted
}

// spec is the device that an instance wants.
func spec(in *conf.Instance) netdev.Spec {
	s := netdev.Spec{
		Name: deviceName(in), Parent: in.Interface, MAC: frame.MAC(in.MAC.Address),
		Alias: in.Name, IPv6: in.Family == vrrp.IPv6, Egress: in.Egress, Refuse: !in.Accept,
		Keep: true, // what a crashed run left is served until it is known who is MASTER
	}
	s.Addresses = addressesOn(in, "")
	policy(&s, in)
	return s
}

// deviceName identifies the device to netdev: the macvlan's name, or, where
// the addresses are on the interface itself, a text that no device can have.
func deviceName(in *conf.Instance) string {
	if in.MAC.Mode == conf.MACInterface {
		return in.Interface + "/" + in.Name
	}
	return in.Device
}

// look compares what the kernel says of the interfaces of instances with what
// the speaker was told, and tells it what changed. It asks for the state
// rather than believing an event, so a lost or doubled event does no harm.
// When the kernel does not say, everything stays as it is until the next look.
func (d *Director) look(instances []*instance) {
	facts, err := d.askInterfaces(instances)
	if err != nil {
		d.log.Error("cannot look at the interfaces", "err", err)
		return
	}
	var unsettled []*instance
	for _, in := range instances {
		unsettledNow := in.stale || in.portErr != nil || in.extraPortErr != nil || in.device.Err != nil
		for _, name := range in.conf.Interfaces() {
			was := in.at(name).Index
			if facts[name].Index != was && was != 0 {
				d.port.Close(was)
			}
			unsettledNow = unsettledNow || facts[name].Index != was
		}
		if unsettledNow && isThere(facts, in.conf.Interface) {
			unsettled = append(unsettled, in)
		}
	}
	d.settle(unsettled, facts)
	for _, in := range instances {
		f := facts[in.conf.Interface]
		changed := !sameVoice(in, &f, &in.facts)
		in.setFacts(f)
		changed = in.updateExtraInterfaces(facts) || changed
		d.respeak(in, changed)
	}
}

func (in *instance) setFacts(f netdev.Interface) {
	in.facts = f
	if f.Index != 0 {
		in.index = f.Index
	}
}

// isThere reports whether there is an interface of that name.
func isThere(facts map[string]netdev.Interface, name string) bool { return facts[name].Name == name }

// askInterfaces returns what the kernel says of the instances' interfaces, by
// name; of one that is not there, nothing. One that has another name by now is told
// of with that.
func (d *Director) askInterfaces(instances []*instance) (map[string]netdev.Interface, error) {
	var names []string
	seen := map[string]bool{}
	for _, in := range instances {
		for _, name := range in.conf.Interfaces() {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	facts, err := d.host.Interfaces(names...)
	if err == nil {
		err = d.askRenamed(instances, facts)
	}
	return facts, err
}

// askRenamed adds what has become of interfaces that were there and have not the
// name any more.
func (d *Director) askRenamed(instances []*instance, facts map[string]netdev.Interface) error {
	missing := map[string]netdev.Interface{}
	var indexes []int
	for _, in := range instances {
		for _, name := range in.conf.Interfaces() {
			if was := in.at(name); was.Index != 0 && !isThere(facts, name) {
				missing[name] = was
				indexes = append(indexes, was.Index)
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	found, err := d.host.InterfacesAt(indexes...)
	for name, was := range missing {
		// An index may be another interface's by now, which came from another namespace.
		if f := found[was.Index]; f.Index != 0 && f.MAC == was.MAC {
			facts[name] = f
		}
	}
	return err
}

// settle opens the port on interfaces that came, or came back with another
// index, and makes the devices above them, all at once.
func (d *Director) settle(instances []*instance, facts map[string]netdev.Interface) {
	if len(instances) == 0 {
		return
	}
	d.listen(instances, facts)
	d.take(instances, d.host.Ensure)
}

// listen opens the port on the interfaces of instances.
func (d *Director) listen(instances []*instance, facts map[string]netdev.Interface) {
	opened := map[string]error{}
	for _, in := range instances {
		in.extraPortErr = nil
		for i, name := range in.conf.Interfaces() {
			if _, done := opened[name]; !done && isThere(facts, name) {
				opened[name] = d.openPort(name, facts[name].Index)
			}
			if i == 0 {
				in.portErr = opened[name]
			} else {
				in.extraPortErr = errors.Join(in.extraPortErr, opened[name])
			}
		}
	}
}

// take has the host adopt or ensure the devices of instances.
func (d *Director) take(instances []*instance, do func(...netdev.Spec) ([]netdev.Device, error)) {
	var all []netdev.Spec
	for _, in := range instances {
		all = append(all, specs(&in.conf)...)
	}
	devices, err := do(all...)
	again := err != nil && !slices.ContainsFunc(devices, func(v netdev.Device) bool { return v.Err != nil })
	if again { // what concerns all is no fault of anyone: what is there goes on
		d.log.Error("cannot make the devices; it is tried again", "err", err)
	}
	for _, in := range instances {
		in.stale = again
		n := len(namesOf(&in.conf))
		if n > len(devices) {
			in.device.Err = err
			continue
		}
		in.device = oneOf(devices[:n])
		devices = devices[n:]
	}
}

// openPort hears the families of all instances on an interface.
func (d *Director) openPort(name string, index int) error {
	l := port.Listen{Name: name, Index: index}
	d.hear(&l)
	return d.port.Open(l)
}

// diagnose says why an instance cannot be MASTER on its interface.
func diagnose(in *instance) map[string]vrrp.Faulted {
	faults := map[string]vrrp.Faulted{}
	fault := func(key string, wireLost bool, format string, args ...any) {
		faults[key] = vrrp.Faulted{Key: key, Problem: fmt.Sprintf(format, args...), WireLost: wireLost}
	}
	name, f := in.conf.Interface, &in.facts
	switch {
	case f.Index == 0:
		fault(faultLink, true, "interface %s does not exist", name)
	case f.Name != name: // and its wire works still, if it is up
		fault(faultLink, !f.Up, "interface %s does not exist; it is called %s now", name, f.Name)
	case !f.Admin:
		fault(faultLink, true, "interface %s is down", name)
	case !f.Up && in.conf.TrackLink:
		fault(faultLink, true, "interface %s has no carrier", name)
	case in.portErr != nil:
		fault(faultLink, true, "%v", in.portErr)
	case !source(in, f).IsValid() && in.conf.Source.IsValid():
		fault(faultAddress, false, "interface %s does not have the address %v, which adverts are to come from", name, in.conf.Source)
	case !source(in, f).IsValid():
		fault(faultAddress, false, "interface %s has no %s address of its own", name, addressKind(in.conf.Family))
	}
	if n := advertLen(&in.conf); f.Index != 0 && n > f.MTU {
		fault(faultMTU, false, "an advert with %d addresses has %d bytes, and interface %s carries %d: move addresses to excluded_addresses",
			len(in.conf.Addresses), n, name, f.MTU)
	}
	in.diagnoseExtraInterfaces(fault)
	if in.device.Err != nil && f.Index != 0 {
		fault(faultDevice, false, "%v", in.device.Err)
	}
	return faults
}

// advertLen is the length of an instance's adverts with their IP header.
func advertLen(in *conf.Instance) int {
	header := 20
	if in.Family == vrrp.IPv6 {
		header = 40
	}
	return header + in.MessageLen() + in.Auth.Overhead()
}

func addressKind(f vrrp.Family) string {
	if f == vrrp.IPv6 {
		return "link-local IPv6"
	}
	return "IPv4"
}

// source is the address that an instance's adverts come from; the zero Addr if
// the interface does not have it.
func source(in *instance, f *netdev.Interface) netip.Addr {
	if s := in.conf.Source; s.IsValid() {
		if !slices.ContainsFunc(f.Addresses, func(p netip.Prefix) bool { return p.Addr() == s }) {
			return netip.Addr{}
		}
		return s
	}
	if in.conf.Family == vrrp.IPv6 {
		return f.LinkLocal
	}
	return f.IPv4
}

func sameVoice(in *instance, a, b *netdev.Interface) bool {
	return a.Index == b.Index && a.MAC == b.MAC && source(in, a) == source(in, b) && a.Forwarding6 == b.Forwarding6
}

// speechOf says what the voice of an instance is made of, on its interface as it is.
func speechOf(in *instance) speech {
	s := speech{
		index: in.facts.Index, source: source(in, &in.facts), group: in.conf.MulticastGroup(),
		mac: frame.MAC(in.conf.MAC.Address), router: in.facts.Forwarding6,
	}
	if in.conf.MAC.Mode == conf.MACInterface {
		s.mac = in.facts.MAC
	}
	s.advertMAC = s.mac
	if in.conf.AdvertMAC == conf.AdvertInterface {
		s.advertMAC = in.facts.MAC
	}
	return s
}

// voiceOf builds the voice of an instance.
func (d *Director) voiceOf(in *instance) (speaker.TxConfig, error) {
	s := speechOf(in)
	if !s.source.IsValid() {
		return speaker.TxConfig{IfIndex: s.index}, nil
	}
	v, err := voice(s, announced(&in.conf, ""))
	if err == nil {
		err = in.announceExtraInterfaces(&v)
	}
	if err == nil {
		err = address(&v, &in.conf, s.advertMAC)
	}
	return v, err
}

// respeak tells the speaker what is new about an instance: its faults, and how
// it speaks if that changed. One that loses its voice is told the fault first,
// so that it can say farewell.
func (d *Director) respeak(in *instance, changed bool) {
	if !source(in, &in.facts).IsValid() {
		d.tellFaults(in, diagnose(in))
	}
	if changed {
		d.revoice(in)
	}
	d.tellFaults(in, diagnose(in))
}

// revoice tells the speaker how an instance speaks now. One that it does not
// have yet gets its voice when it is added.
func (d *Director) revoice(in *instance) {
	if !in.added {
		return
	}
	v, err := d.voiceOf(in)
	if err == nil {
		err = d.speaker.SetTx(in.conf.Name, v, pace(&in.conf.Announce))
	}
	if err != nil {
		d.log.Error("cannot change how a virtual router speaks", "vrrp", in.conf.Name, "err", err)
	}
}

func pace(a *conf.Announce) speaker.AnnounceConfig {
	return speaker.AnnounceConfig{
		Repeat: a.Repeat, Delay: a.Delay, Refresh: a.Refresh,
		RefreshRepeat: a.RefreshRepeat, Interval: a.Interval,
	}
}

// tellFaults tells the speaker which faults came and which went.
func (d *Director) tellFaults(in *instance, faults map[string]vrrp.Faulted) {
	if !in.added {
		in.faults = faults
		return
	}
	for key, f := range faults {
		if in.faults[key] != f {
			d.tell(in, f)
		}
	}
	for key := range in.faults {
		if _, still := faults[key]; !still {
			d.tell(in, vrrp.Recovered{Key: key})
		}
	}
	in.faults = faults
}

func (d *Director) tell(in *instance, ev vrrp.Event) {
	if err := d.speaker.Deliver(in.conf.Name, ev); err != nil {
		d.log.Error("cannot tell the VRRP loop", "vrrp", in.conf.Name, "err", err)
	}
}

// startUnits lets units take part, and then makes their devices: a thousand take
// a tenth of a second, in which the timers run already. Whoever is MASTER at
// once waits for its device, as every claim is waited for.
func (d *Director) startUnits(list []unit) {
	d.where = nil
	var all []*instance
	for _, u := range list {
		for _, c := range u.members {
			in := &instance{conf: c, unit: u.name, faults: map[string]vrrp.Faulted{}}
			d.instances[c.Name] = in
			d.devices.set(c.Name, namesOf(&c))
			all = append(all, in)
		}
	}
	d.bus.add(func() []dbus.Instance { return d.busInstances(all) })
	d.meet(all)
	for part := range slices.Chunk(list, unitsPerTurn) {
		d.addUnits(part)
	}
	d.look(all)
}

// meet gets to know the interfaces of instances that are new, and what a former
// run left of their devices.
func (d *Director) meet(instances []*instance) {
	if len(instances) == 0 {
		return
	}
	facts, err := d.askInterfaces(instances)
	if err != nil {
		d.log.Error("cannot look at the interfaces", "err", err)
		facts = nil // none of them exists, until the next look
	}
	d.listen(instances, facts)
	d.take(slices.DeleteFunc(slices.Clone(instances), func(in *instance) bool {
		return facts[in.conf.Interface].Index == 0
	}), d.host.Adopt)
	for _, in := range instances {
		in.stale = true // its devices are to be made
		in.setFacts(facts[in.conf.Interface])
		in.updateExtraInterfaces(facts)
		in.faults = diagnose(in)
	}
}

// addUnits gives units to the speaker, in one turn of its loop.
func (d *Director) addUnits(list []unit) {
	var units []speaker.Unit
	var added []*unit
	d.stood = d.opts.EarlySpeaker.resumes()
	for i := range list {
		u := &list[i]
		if r := d.units[u.name]; r != nil {
			d.join(r, u.members)
			continue
		}
		d.units[u.name] = &runningUnit{unit: *u}
		routers, err := d.routers(u, 0)
		if err != nil {
			d.log.Error("cannot start", "unit", u.name, "err", err)
			continue
		}
		units, added = append(units, speaker.Unit{Name: u.speakerName(), Routers: routers}), append(added, u)
	}
	for i, err := range d.speaker.Add(units...) {
		if err != nil {
			d.log.Error("cannot start", "unit", added[i].name, "err", err)
			continue
		}
		for _, c := range added[i].members {
			d.instances[c.Name].added = true
		}
	}
	d.opts.EarlySpeaker.relieve(list)
}

// routers are the members of a unit that are to be started, with what they are
// to hear first. running of them run already; their fellows wait for no tracker,
// which would be a fault of all.
func (d *Director) routers(u *unit, running int) ([]speaker.Router, error) {
	var routers []speaker.Router
	for i := running; i < len(u.members); i++ {
		c := &u.members[i]
		in := d.instances[c.Name]
		v, err := d.voiceOf(in)
		if err != nil {
			return nil, err
		}
		r := speaker.Router{Config: c.Config, Tx: v, Announce: pace(&c.Announce)}
		for _, f := range in.faults {
			r.Events = append(r.Events, f)
		}
		if d.releasing {
			r.Events = append(r.Events, releaseEvent(in))
			routers = append(routers, r)
			continue
		}
		start := d.startEvent(in)
		if r, ok := start.(vrrp.Resume); ok {
			d.bus.resumed(c.Name, r.State)
		}
		d.beginTracking(in, u.tracking(i), running == 0 && start == vrrp.Event(vrrp.Start{}))
		r.Events = append(r.Events, append(d.trackingNews(in), start)...)
		routers = append(routers, r)
	}
	return routers, nil
}

// changeUnit tells the members of a unit that stays what changed in them.
func (d *Director) changeUnit(p *unitPair) {
	d.units[p.new.name].unit = p.new
	for i, c := range p.new.members {
		old, in := &p.was[i], d.instances[c.Name]
		in.conf = c
		d.where = nil
		in.track = p.new.tracking(i)
		d.tellTracking(in)
		moved := false
		if !reflect.DeepEqual(specs(old), specs(&c)) {
			moved = true
			d.changeDevices(in, old)
		}
		if moved || !reflect.DeepEqual(old.Config, c.Config) {
			d.reopen(in)
			d.tell(in, vrrp.Reconfigure{Config: c.Config, Reclaim: moved})
		}
		d.respeak(in, !sameSpeech(old, &c))
	}
}
