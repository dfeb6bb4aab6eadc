package director

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"golang.org/x/sys/unix"

	"holdfast/conf"
	"holdfast/netdev"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// Keys of the faults that the director raises in an instance.
const (
	faultLink    = "link"
	faultAddress = "address"
	faultDevice  = "device"
	faultTrack   = "track:" // and the tracker's name
)

// An instance is a virtual router on its interface.
type instance struct {
	conf conf.Instance
	unit string
	// What was last told to the speaker.
	facts  netdev.Interface
	faults map[string]vrrp.Faulted
	device netdev.Device

	track   []conf.Tracking         // what counts for it
	tracked map[string]vrrp.Faulted // by trackers, as told to the speaker; so is
	weight  int                     // what they add to the priority
	awaits  map[string]bool         // trackers that are not known since it started

	deaf  error // why the port is not open on the interface
	added bool  // the speaker has it
}

// spec is the device that an instance wants.
func spec(in *conf.Instance) netdev.Spec {
	s := netdev.Spec{
		Name: deviceName(in), Parent: in.Interface, MAC: netdev.MAC(in.MAC.Address),
		Alias: in.Name, IPv6: in.Family == vrrp.IPv6,
		Keep: true, // what a crashed run left is served until it is known who is MASTER
	}
	for _, p := range slices.Concat(in.Prefixes, in.Excluded) {
		s.Addresses = append(s.Addresses, netdev.Address{Prefix: p})
	}
	for _, r := range in.Routes {
		s.Routes = append(s.Routes, netdev.PolicyRoute(r))
	}
	for _, r := range in.Rules {
		s.Rules = append(s.Rules, netdev.PolicyRule{
			From: r.From, To: r.To, IPv6: r.Family == vrrp.IPv6,
			Interface: r.Interface, Mark: r.Mark, Table: r.Table, Priority: r.Priority,
		})
	}
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
func (d *Director) look(instances []*instance) {
	facts := map[string]netdev.Interface{}
	var unsettled []*instance
	for _, in := range instances {
		f, asked := facts[in.conf.Interface]
		if !asked {
			f = d.askInterface(in.conf.Interface)
			facts[in.conf.Interface] = f
		}
		if f.Index != in.facts.Index && in.facts.Index != 0 {
			d.port.Close(in.facts.Index)
		}
		if f.Index != 0 && (f.Index != in.facts.Index || in.deaf != nil || in.device.Err != nil) {
			unsettled = append(unsettled, in)
		}
	}
	d.settle(unsettled, facts)
	for _, in := range instances {
		f := facts[in.conf.Interface]
		changed := !sameVoice(&f, &in.facts)
		in.facts = f
		if changed {
			d.revoice(in)
		}
		d.tellFaults(in, diagnose(in))
	}
}

// askInterface returns what the kernel says of an interface; of one that
// cannot be asked for, nothing.
func (d *Director) askInterface(name string) netdev.Interface {
	f, err := d.host.Interface(name)
	if err != nil && !errors.Is(err, unix.ENODEV) {
		d.log.Error("cannot look at an interface", "interface", name, "err", err)
	}
	return f
}

// settle opens the port on interfaces that came, or came back with another
// index, and makes the devices above them, all at once.
func (d *Director) settle(instances []*instance, facts map[string]netdev.Interface) {
	if len(instances) == 0 {
		return
	}
	opened := map[string]error{}
	specs := make([]netdev.Spec, len(instances))
	for i, in := range instances {
		name := in.conf.Interface
		if _, done := opened[name]; !done {
			opened[name] = d.openPort(name, facts[name].Index)
		}
		in.deaf = opened[name]
		specs[i] = spec(&in.conf)
	}
	devices, err := d.host.Ensure(specs...)
	for i, in := range instances {
		if i < len(devices) {
			in.device = devices[i]
		} else {
			in.device.Err = err
		}
	}
}

// openPort hears the families of all instances on an interface.
func (d *Director) openPort(name string, index int) error {
	l := netdev.Listen{Name: name, Index: index}
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
	case !f.Admin:
		fault(faultLink, true, "interface %s is down", name)
	case !f.Up:
		fault(faultLink, true, "interface %s has no carrier", name)
	case in.deaf != nil:
		fault(faultLink, true, "%v", in.deaf)
	case !source(in, f).IsValid():
		fault(faultAddress, true, "interface %s has no %s address of its own", name, addressKind(in.conf.Family))
	}
	if in.device.Err != nil && f.Index != 0 {
		fault(faultDevice, false, "%v", in.device.Err)
	}
	return faults
}

func addressKind(f vrrp.Family) string {
	if f == vrrp.IPv6 {
		return "link-local IPv6"
	}
	return "IPv4"
}

// source is the address that an instance's adverts come from.
func source(in *instance, f *netdev.Interface) netip.Addr {
	if in.conf.Family == vrrp.IPv6 {
		return f.LinkLocal
	}
	return f.IPv4
}

func sameVoice(a, b *netdev.Interface) bool {
	return a.Index == b.Index && a.MAC == b.MAC && a.IPv4 == b.IPv4 &&
		a.LinkLocal == b.LinkLocal && a.Forwarding6 == b.Forwarding6
}

// announced are the addresses whose MAC neighbours are told.
func announced(in *conf.Instance) []netip.Addr {
	list := slices.Clone(in.Addresses)
	for _, p := range in.Excluded {
		list = append(list, p.Addr())
	}
	return list
}

// voiceOf builds the voice of an instance on its interface as it is.
func (d *Director) voiceOf(in *instance) (speaker.Voice, error) {
	mac := netdev.MAC(in.conf.MAC.Address)
	if in.conf.MAC.Mode == conf.MACInterface {
		mac = in.facts.MAC
	}
	src := source(in, &in.facts)
	if !src.IsValid() {
		return speaker.Voice{IfIndex: in.facts.Index}, nil
	}
	v, err := voice(in.facts.Index, mac, src, announced(&in.conf), in.facts.Forwarding6)
	if err == nil {
		err = address(&v, &in.conf, mac)
	}
	return v, err
}

// revoice tells the speaker how an instance speaks now. One that it does not
// have yet gets its voice when it is added.
func (d *Director) revoice(in *instance) {
	if !in.added {
		return
	}
	v, err := d.voiceOf(in)
	if err == nil {
		err = d.speaker.Revoice(in.conf.Name, v, pace(&in.conf.Announce))
	}
	if err != nil {
		d.log.Error("cannot change how a virtual router speaks", "vrrp", in.conf.Name, "err", err)
	}
}

func pace(a *conf.Announce) speaker.Pace {
	return speaker.Pace{
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
	if err := d.speaker.Tell(in.conf.Name, ev); err != nil {
		d.log.Error("cannot tell the VRRP loop", "vrrp", in.conf.Name, "err", err)
	}
}

// startUnits makes the devices of units and lets them take part.
func (d *Director) startUnits(list []unit) {
	var all []*instance
	for _, u := range list {
		for _, c := range u.members {
			in := &instance{conf: c, unit: u.name, faults: map[string]vrrp.Faulted{}}
			d.instances[c.Name] = in
			d.devices.set(c.Name, deviceName(&c))
			all = append(all, in)
		}
	}
	d.look(all)
	for _, u := range list {
		d.units[u.name] = &runningUnit{unit: u}
		if err := d.startUnit(&u); err != nil {
			d.log.Error("cannot start", "unit", u.name, "err", err)
		}
	}
}

func (d *Director) startUnit(u *unit) error {
	routers := make([]speaker.Router, len(u.members))
	for i, c := range u.members {
		v, err := d.voiceOf(d.instances[c.Name])
		if err != nil {
			return err
		}
		routers[i] = speaker.Router{Config: c.Config, Voice: v, Pace: pace(&c.Announce)}
	}
	if err := d.speaker.Add(u.speakerName(), routers...); err != nil {
		return err
	}
	for i, c := range u.members {
		in := d.instances[c.Name]
		in.added = true
		for _, f := range in.faults {
			d.tell(in, f)
		}
		if d.releasing {
			d.tell(in, releaseEvent(in))
			continue
		}
		start := d.startEvent(in)
		d.beginTracking(in, u.tracking(i), start == vrrp.Event(vrrp.Start{}))
		d.tell(in, start)
	}
	return nil
}

// changeUnit tells the members of a unit that stays what changed in them.
func (d *Director) changeUnit(p unitPair) {
	d.units[p.new.name].unit = p.new
	for i, c := range p.new.members {
		old, in := &p.old.members[i], d.instances[c.Name]
		in.conf = c
		in.track = p.new.tracking(i)
		d.tellTracking(in)
		if !reflect.DeepEqual(spec(old), spec(&c)) {
			if _, err := d.host.Ensure(spec(&c)); err != nil {
				d.log.Error("cannot change the device", "vrrp", c.Name, "err", err)
			}
		}
		if !reflect.DeepEqual(old.Config, c.Config) {
			d.reopen(in)
			d.tell(in, vrrp.Reconfigure{Config: c.Config})
		}
		if !sameSpeech(old, &c) || !slices.Equal(old.Excluded, c.Excluded) {
			d.revoice(in)
		}
	}
}
