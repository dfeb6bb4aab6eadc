package keepalived

// A syncGroup is a vrrp_sync_group as keepalived runs it.
type syncGroup struct {
	old, name string
	d         *directive
	members   []string // in keepalived's names
	weights   bool     // the weights of what members track count
}

// readGroups reads who is in which group.
func (c *converter) readGroups() {
	defined := map[string]bool{}
	for _, d := range c.top {
		if d.word != nil && d.word.name == "vrrp_instance" {
			defined[d.arg(1)] = true
		}
	}
	for _, d := range c.named("vrrp_sync_group") {
		g := &syncGroup{old: d.arg(1), d: d}
		g.weights = last(d.body, "sync_group_tracking_weight") != nil
		list := last(d.body, "group")
		if list == nil {
			c.report.Person(d.at, "the vrrp_sync_group %s has no block group { ... }: keepalived removes it, so its members move one by one", g.old)
			skip(d.body)
			continue
		}
		for _, line := range list.body {
			for _, member := range line.args {
				c.addMember(g, line, member, defined)
			}
		}
		if len(g.members) == 0 {
			c.report.Person(d.at, "the vrrp_sync_group %s has no members: keepalived removes it", g.old)
			skip(d.body)
			continue
		}
		if len(g.members) == 1 {
			c.report.Note(d.at, "the vrrp_sync_group %s has one member only", g.old)
		}
		c.groups = append(c.groups, g)
	}
	for _, g := range c.groups {
		g.name = c.name("router", g.old, g.d.at)
	}
}

func (c *converter) addMember(g *syncGroup, line *directive, member string, defined map[string]bool) {
	switch other := c.inGroup[member]; {
	case !defined[member]:
		c.report.Person(line.at, "there is no vrrp_instance %s: keepalived ignores this member of the group %s", member, g.old)
	case other == g:
		c.report.Note(line.at, "%s is in the group twice", member)
	case other != nil:
		c.report.Person(line.at, "%s is in the group %s already: an instance can be in one group only", member, other.old)
	default:
		c.inGroup[member] = g
		g.members = append(g.members, member)
	}
}

// draftGroups makes a [[group]] of each.
func (c *converter) draftGroups() {
	for _, g := range c.groups {
		var members []string
		for _, m := range g.members {
			if in := c.instances[m]; in != nil {
				members = append(members, in.name)
			}
		}
		d := g.d
		t := c.draft.List("group", d.at)
		t.Set(d.at, "name", g.name)
		t.Comment("", d.comments...)
		t.Set(d.at, "members", members)
		c.draftTracking(t, d.body, nil)
		c.draftPrograms(t, d.body)
		c.noteMail(d.body, &c.mail.group, "vrrp")
		if k := last(d.body, "notify_priority_changes"); k != nil {
			on, _ := truth(k)
			c.global.priorityChanges = c.global.priorityChanges || on
		}
	}
}
