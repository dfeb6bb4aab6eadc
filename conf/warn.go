package conf

// warn notes what is valid and yet has no effect or does harm. It runs on a
// configuration without errors. A new subject is one new file and one line here.
func (c *Config) warn(s sections) {
	units := c.units(s)
	c.warnOfSecrets(s)
	c.warnOfTrackers(s)
	c.warnOfServices(s, units)
	c.warnOfQuorums(s)
	c.warnOfPlaceholders(s)
	c.warnOfListens(s)
	c.warnOfFast(s)
	for _, u := range units {
		u.warnOfWeights()
		u.warnOfPreempt()
		u.warnOfTiming()
	}
}

// A unit is what moves together: a group, or an instance without one.
type unit struct {
	name    string
	members []member
	tracked []tracked // by any member or by the group, each tracker once
}

type member struct {
	*Instance
	table *table
}

type tracked struct {
	Tracking
	tracker *Track
	table   *table // the first that lists it
}

// units returns all units: groups first, then the other instances, in the order
// of the file.
func (c *Config) units(s sections) []*unit {
	trackers := make(map[string]*Track, len(c.Tracks))
	for i := range c.Tracks {
		trackers[c.Tracks[i].Name] = &c.Tracks[i]
	}
	instances := make(map[string]member, len(c.VRRP))
	for i := range c.VRRP {
		instances[c.VRRP[i].Name] = member{&c.VRRP[i], s.vrrp[i]}
	}
	var all []*unit
	add := func(u *unit, group *Group, at *table) {
		seen := make(map[string]bool)
		track := func(list []Tracking, where *table) {
			for _, k := range list {
				if !seen[k.Name] {
					seen[k.Name] = true
					u.tracked = append(u.tracked, tracked{k, trackers[k.Name], where})
				}
			}
		}
		for _, m := range u.members {
			track(m.Track, m.table)
		}
		if group != nil {
			track(group.Track, at)
		}
		all = append(all, u)
	}
	for i := range c.Groups {
		u := &unit{name: c.Groups[i].Name}
		for _, name := range c.Groups[i].Members {
			u.members = append(u.members, instances[name])
			delete(instances, name)
		}
		add(u, &c.Groups[i], s.groups[i])
	}
	for i := range c.VRRP {
		if m, alone := instances[c.VRRP[i].Name]; alone {
			add(&unit{name: m.Name, members: []member{m}}, nil, nil)
		}
	}
	return all
}
