package speaker

import (
	"holdfast/vrrp"
	"holdfast/vrrp/auth"
)

// renewGuards makes the authentication guards that the paths of a router need. Each path
// has its own, because sequence numbers grow from advert to advert. The guards know each
// other, because a number is good for one path. That of a path that a reload takes away
// stays: what was recorded there must be no good on the other paths, nor there if the path
// comes back.
func (r *router) renewGuards(c *vrrp.Config) {
	guards := make(map[string]*auth.Guard, len(r.wires))
	for name, g := range r.guards {
		guards[name] = r.renewed(c, g)
	}
	for name, m := range r.marks {
		if guards[name] == nil {
			guards[name] = r.renewed(c, nil)
		}
		guards[name].Recall(m)
	}
	for i := range r.wires {
		if name := r.wires[i].tx.Name; guards[name] == nil {
			guards[name] = r.renewed(c, nil)
		}
	}
	r.guards, r.marks = guards, nil
	all := make([]*auth.Guard, 0, len(guards))
	for _, g := range guards {
		all = append(all, g)
	}
	for _, g := range all {
		g.OnPaths(all)
	}
}

// renewed returns a guard for the configuration; nil without authentication. It goes on
// with the sequence numbers of the former one, which may be nil.
func (r *router) renewed(c *vrrp.Config, former *auth.Guard) *auth.Guard {
	if former != nil && former.Config().Equal(&r.tx.Auth) {
		return former
	}
	return auth.New(r.tx.Auth, c.Family, c.Version, c.VRID, former)
}

// sequenceMarks returns the sequence numbers of a router's paths, those that it had
// included.
func (r *router) sequenceMarks() map[string]auth.Marks {
	var all map[string]auth.Marks
	for name, g := range r.guards {
		m := g.Marks()
		if m.None() {
			continue
		}
		if all == nil {
			all = map[string]auth.Marks{}
		}
		all[name] = m
	}
	return all
}
