package director

import (
	"slices"

	"holdfast/netdev"
)

// look compares what the kernel says of the interfaces of instances with what
// the speaker was told, and tells it what changed. It asks for the state
// rather than believing an event, so a lost or doubled event does no harm.
// When the kernel does not say, everything stays as it is until the next look.
func (rs *routers) look(instances []*instance) {
	facts, err := rs.askInterfaces(instances)
	if err != nil {
		rs.log.Error("cannot look at the interfaces", "err", err)
		return
	}
	var unsettled []*instance
	for _, in := range instances {
		unsettledNow := in.stale || in.portErr != nil || in.extraPortErr != nil || in.device.Err != nil || in.wiresUnsettled()
		for _, name := range in.conf.AllInterfaces() {
			was := in.at(name).Index
			if facts[name].Index != was && was != 0 {
				rs.port.Close(was)
			}
			unsettledNow = unsettledNow || facts[name].Index != was
		}
		if unsettledNow {
			unsettled = append(unsettled, in)
		}
	}
	rs.setUp(unsettled, facts)
	for _, in := range instances {
		f, before := facts[in.conf.Interface], txSourceOf(in)
		changed := !sameSource(in, &f, &in.facts)
		in.setFacts(f)
		elsewhere := in.updateExtraInterfaces(facts)
		wires := in.updateWires(facts)
		rs.updateTx(in, changed || elsewhere || wires)
		if elsewhere || !txSourceOf(in).sameAnnouncements(&before) {
			rs.reannounce(in)
		}
	}
	rs.reviewPaths()
}

// askInterfaces returns what the kernel says of the instances' interfaces, by
// name. It leaves out those that do not exist. One that was renamed is listed with
// its new name under the old one.
func (rs *routers) askInterfaces(instances []*instance) (map[string]netdev.Interface, error) {
	var names []string
	seen := map[string]bool{}
	for _, in := range instances {
		for _, name := range in.conf.AllInterfaces() {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	facts, err := rs.host.Interfaces(names...)
	if err == nil {
		err = rs.askRenamed(instances, facts)
	}
	return facts, err
}

// askRenamed adds what has become of interfaces that were there and have not the
// name any more.
func (rs *routers) askRenamed(instances []*instance, facts map[string]netdev.Interface) error {
	missing := map[string]netdev.Interface{}
	var indexes []int
	for _, in := range instances {
		for _, name := range in.conf.AllInterfaces() {
			if was := in.at(name); was.Index != 0 && !exists(facts, name) {
				missing[name] = was
				indexes = append(indexes, was.Index)
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	found, err := rs.host.InterfacesAt(indexes...)
	for name, was := range missing {
		// An index may be another interface's by now, which came from another namespace.
		if f := found[was.Index]; f.Index != 0 && f.MAC == was.MAC {
			facts[name] = f
		}
	}
	return err
}

// onInterfaces returns the instances whose own interface exists.
func onInterfaces(instances []*instance, facts map[string]netdev.Interface) []*instance {
	return slices.DeleteFunc(slices.Clone(instances), func(in *instance) bool { return !exists(facts, in.conf.Interface) })
}

// setUp opens the port on interfaces that came, or came back with another
// index, and makes the devices above them, all at once.
func (rs *routers) setUp(instances []*instance, facts map[string]netdev.Interface) {
	if len(instances) == 0 {
		return
	}
	rs.listen(instances, facts)
	rs.makeDevices(onInterfaces(instances, facts), rs.host.Ensure)
}

// makeDevices has the host adopt or ensure the devices of instances.
func (rs *routers) makeDevices(instances []*instance, do func(...netdev.Spec) ([]netdev.Device, error)) {
	var all []netdev.Spec
	for _, in := range instances {
		all = append(all, specs(in.conf)...)
	}
	devices, err := do(all...)
	again := err != nil && !slices.ContainsFunc(devices, func(v netdev.Device) bool { return v.Err != nil })
	if again { // what concerns all is no fault of anyone: what is there goes on
		rs.log.Error("cannot make the devices; it is tried again", "err", err)
	}
	for _, in := range instances {
		in.stale = again
		n := len(namesOf(in.conf))
		if n > len(devices) {
			in.device.Err = err
			continue
		}
		in.device = oneOf(devices[:n])
		devices = devices[n:]
	}
}

// exists reports whether there is an interface of that name.
func exists(facts map[string]netdev.Interface, name string) bool { return facts[name].Name == name }

// lookAtNoted looks at the instances that events concerned.
func (rs *routers) lookAtNoted() {
	if len(rs.toLook) == 0 {
		return
	}
	list := make([]*instance, 0, len(rs.toLook))
	for in := range rs.toLook {
		if rs.instances[in.conf.Name] == in {
			list = append(list, in)
		}
	}
	clear(rs.toLook)
	rs.look(list)
}

// eventIndex is worked out anew when rs.index was set to nil: after a change of
// instances.
func (rs *routers) eventIndex() *eventIndex {
	if rs.index != nil {
		return rs.index
	}
	rs.index = &eventIndex{interfaces: map[string][]*instance{}}
	for _, in := range rs.instances {
		for _, name := range in.conf.AllInterfaces() {
			rs.index.interfaces[name] = append(rs.index.interfaces[name], in)
		}
		if len(in.conf.Routes) > 0 {
			rs.index.routed = append(rs.index.routed, in)
		}
	}
	return rs.index
}

// linkBack has the kernel ask anew for neighbours that it asked for while the
// interface of instances had no carrier. Those that stayed MASTER announce their
// addresses: the interface may be connected to another port of the switch now.
func (rs *routers) linkBack(e *netdev.Event, on []*instance) {
	for _, in := range on {
		if slices.Contains(in.conf.Interfaces(), e.Name) {
			rs.reannounce(in)
		}
	}
	if err := rs.host.RetryNeighbours(e.Index); err != nil {
		rs.log.Warn("neighbours that were asked for without carrier are missed for a second", "interface", e.Name, "err", err)
	}
}

// linkChanged notes which instances an event concerns; they are looked at when
// the events that have come are through.
func (rs *routers) linkChanged(e *netdev.Event) {
	if e.Kind == netdev.Resync {
		for _, in := range rs.instances {
			rs.toLook[in] = true
		}
	}
	on := rs.eventIndex()
	if e.Back && len(on.interfaces[e.Name]) > 0 {
		rs.linkBack(e, on.interfaces[e.Name])
	}
	for _, name := range []string{e.Name, e.Was} {
		for _, in := range on.interfaces[name] {
			rs.toLook[in] = true
		}
	}
	for _, in := range on.routed {
		if e.Kind == netdev.LinkChanged && routesBy(in.conf, e.Name) ||
			e.Kind == netdev.AddressChanged && routesFrom(in.conf, e.Prefix.Addr()) {
			rs.repair.within(repairPause)
		}
	}
	rs.repair.concern(rs.host.Concerns(*e))
}

// An eventIndex says which instances an event may concern: a takeover of a
// thousand routers makes thousands of events.
type eventIndex struct {
	interfaces map[string][]*instance
	routed     []*instance // that have routes
}
