package director

import (
	"errors"
	"slices"

	"holdfast/netdev"
	"holdfast/netdev/port"
	"holdfast/vrrp"
	"holdfast/vrrp/auth"
)

// openPort opens the port on an interface for what all instances there listen to.
func (rs *routers) openPort(name string, index int) error {
	l := port.Listen{Name: name, Index: index}
	rs.addListeners(&l)
	return rs.port.Open(l)
}

// listen opens the port on the interfaces of instances.
func (rs *routers) listen(instances []*instance, facts map[string]netdev.Interface) {
	opened := map[string]error{}
	for _, in := range instances {
		in.extraPortErr = nil
		for _, name := range in.conf.AllInterfaces() {
			if _, done := opened[name]; !done && exists(facts, name) {
				opened[name] = rs.openPort(name, facts[name].Index)
			}
		}
		in.openedWires(opened)
		for i, name := range in.conf.Interfaces() {
			if i == 0 {
				in.portErr = opened[name]
			} else {
				in.extraPortErr = errors.Join(in.extraPortErr, opened[name])
			}
		}
	}
}

// addListeners adds what the instances on an interface listen to.
func (rs *routers) addListeners(l *port.Listen) {
	for _, in := range rs.instances {
		if in.conf.Interface == l.Name {
			l.IPv4 = l.IPv4 || in.conf.Family == vrrp.IPv4
			l.IPv6 = l.IPv6 || in.conf.Family == vrrp.IPv6
			l.Unicast = l.Unicast || in.conf.Unicast || in.conf.Fast
			if g := in.conf.MulticastGroup(); !slices.Contains(l.Groups, g) {
				l.Groups = append(l.Groups, g)
			}
			l.AH = l.AH || in.conf.Auth.Kind == auth.Header
		}
		in.addWireListeners(l)
	}
}

// reopen changes what the port listens to after a reload changed an instance.
func (rs *routers) reopen(in *instance) {
	for _, name := range in.conf.Wires() {
		if index := in.at(name).Index; index != 0 {
			rs.relisten(name, index)
		}
	}
}

// leave closes the port on an interface that an instance does not use any more, or
// listens there to what the others want.
func (rs *routers) leave(name string, index int) {
	switch {
	case index == 0:
	case rs.runsOn(name):
		rs.relisten(name, index)
	default:
		rs.port.Close(index)
	}
}

// relisten has the port listen on an interface to what its instances want now.
func (rs *routers) relisten(name string, index int) {
	err := rs.openPort(name, index)
	for _, in := range rs.instances {
		if in.conf.Interface == name && (in.portErr != nil || err != nil) {
			in.portErr = err
			rs.setFaults(in, diagnose(in))
		}
		in.openedWires(map[string]error{name: err})
	}
}
