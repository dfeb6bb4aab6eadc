package director

import (
	"slices"
	"time"

	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/netdev"
)

// conflictDelay is how long the subsystem waits for more events before it looks for
// conflicts: a look goes through all addresses of the host.
const conflictDelay = 10 * time.Millisecond

// conflicts is the subsystem that finds what others have in the kernel that is in
// the way of virtual routers: a virtual address on another interface, a virtual
// MAC, a rule before ours, a firewall that drops adverts.
type conflicts struct {
	base
	routers  *routers
	links    *linkWatch
	problems *problems
	pending  bool // a look is due
	ended    bool
	found    bool     // the last look found some
	rules    bool     // virtual routers have rules
	firewall []string // interfaces
}

// repaired looks soon, because the host has looked at all rules.
func (c *conflicts) repaired() {
	if c.rules {
		c.soon()
	}
}

// heed looks soon if an event may have begun or ended a conflict.
func (c *conflicts) heed(e *netdev.Event) {
	if c.found || c.routers.host.Heeds(*e) {
		c.soon()
	}
}

func (c *conflicts) soon() {
	if c.pending || c.ended {
		return
	}
	c.pending = true
	time.AfterFunc(conflictDelay, func() { c.post(c.look) })
}

func (c *conflicts) look() {
	c.pending = false
	if c.ended || c.links.watcher == nil {
		return
	}
	found := c.routers.host.Conflicts(c.links.watcher)
	all := make([]status.Problem, 0, len(found))
	for _, one := range found {
		all = append(all, c.problem(one))
	}
	c.found = len(all) > 0
	c.problems.set("conflicts", all)
}

// problem returns a conflict as the status shows it.
func (c *conflicts) problem(one netdev.Conflict) status.Problem {
	p := status.Problem{
		Kind: "conflict-" + one.Kind, Name: one.Device, Interface: one.Interface, Text: one.Text,
		VRRP: c.routers.instanceOf(one.Device),
	}
	if one.Address.IsValid() {
		p.Address = one.Address.String()
	}
	return p
}

func (c *conflicts) apply(cfg *conf.Config) {
	c.firewall, c.rules = nil, false
	for i := range cfg.VRRP {
		c.rules = c.rules || len(cfg.VRRP[i].Rules) > 0
		c.firewall = append(c.firewall, cfg.VRRP[i].Wires()...)
	}
	slices.Sort(c.firewall)
	c.firewall = slices.Compact(c.firewall)
	c.soon()
	c.lookAtFirewall()
}

// lookAtFirewall looks for firewall rules in another goroutine: there may be tens
// of thousands.
func (c *conflicts) lookAtFirewall() {
	if c.ended {
		return
	}
	interfaces := slices.Clone(c.firewall)
	c.spawn(func() {
		found, err := netdev.FirewallConflicts(interfaces)
		c.post(func() {
			if err != nil {
				c.log.Debug("cannot look at the firewall", "err", err)
				return
			}
			var all []status.Problem
			for _, one := range found {
				p := c.problem(one)
				p.Name = one.Interface
				all = append(all, p)
			}
			c.problems.set("firewall", all)
		})
	})
}

func (c *conflicts) withdraw() { c.ended = true }

func (c *conflicts) close() { c.ended = true }

// instanceOf returns the name of the instance that a device is of, "" if none.
func (rs *routers) instanceOf(device string) string {
	for _, in := range rs.instances {
		if slices.Contains(namesOf(in.conf), device) {
			return in.conf.Name
		}
	}
	return ""
}

// objectProblems returns what an error of a look says, object by object.
func objectProblems(err error, instanceOf func(device string) string) []status.Problem {
	var all []status.Problem
	for _, o := range netdev.Failures(err) {
		p := status.Problem{Kind: o.Kind, Name: o.Name, Text: o.Error()}
		if o.Device != "" {
			p.VRRP = instanceOf(o.Device)
		}
		all = append(all, p)
	}
	if err != nil && len(all) == 0 {
		all = append(all, status.Problem{Kind: netdev.ObjectTables, Name: "devices", Text: err.Error()})
	}
	return all
}
