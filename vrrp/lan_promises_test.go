package vrrp

import (
	"slices"
)

// checkQuiet checks what must hold when nothing has happened for long, and
// returns the MASTER.
func (l *lan) checkQuiet() *node {
	var master *node
	for _, n := range l.nodes {
		if !n.on {
			continue
		}
		if n.state() == Master {
			if master != nil {
				l.fail("%s and %s are both MASTER", master.name, n.name)
			}
			master = n
		}
		want, dev := Backup, down
		if n.state() == Master {
			want, dev = Master, up
		}
		for i := range n.ports {
			m := n.machine(i)
			if m.State() != want || n.ports[i].device != dev {
				l.fail("%s is %v with its device %d in a group that is %v",
					n.portName(i), m.State(), n.ports[i].device, n.state())
			}
		}
	}
	if master == nil {
		l.fail("nobody is MASTER")
		return nil
	}
	for _, n := range l.nodes {
		c := n.cfgs[0]
		if n.on && c.Priority > master.cfgs[0].Priority && (c.Preempt || c.Priority == PriorityOwner) {
			l.fail("%s (priority %d) has not preempted %s (priority %d)",
				n.name, c.Priority, master.name, master.cfgs[0].Priority)
		}
	}
	return master
}

// watch sees every change of a device: while a promise of service holds, on
// each wire some director has the addresses.
func (l *lan) watch() {
	if !l.gapless {
		return
	}
	for i, wire := range l.wires {
		if !slices.ContainsFunc(l.nodes, func(n *node) bool { return n.on && n.ports[i].device != down }) {
			l.fail("nobody serves on wire %s", wire)
		}
	}
}
