package conf

// warn notes what is valid and yet has no effect or does harm. It runs on a
// configuration without errors. A new subject is one new file and one line here.
func (c *Config) warn(s sections) {
	c.warnOfSecrets(s)
	c.warnOfWeights(s)
	c.warnOfPreempt(s)
	c.warnOfTiming(s)
	c.warnOfTrackers(s)
	c.warnOfServices(s)
}

// groupOf returns the group that an instance is a member of, or nil.
func (c *Config) groupOf(instance string) *Group {
	for i := range c.Groups {
		for _, member := range c.Groups[i].Members {
			if member == instance {
				return &c.Groups[i]
			}
		}
	}
	return nil
}

// together returns the instances that move with in: the members of its group,
// or itself.
func (c *Config) together(in *Instance) []*Instance {
	g := c.groupOf(in.Name)
	if g == nil {
		return []*Instance{in}
	}
	return c.members(g)
}

// members returns the instances of a group.
func (c *Config) members(g *Group) []*Instance {
	var list []*Instance
	for _, name := range g.Members {
		for i := range c.VRRP {
			if c.VRRP[i].Name == name {
				list = append(list, &c.VRRP[i])
			}
		}
	}
	return list
}

// trackedBy returns all that counts for the mastership of an instance: what it
// tracks, what its group tracks, and what the other members track.
func (c *Config) trackedBy(in *Instance) []Tracking {
	var all []Tracking
	seen := make(map[string]bool)
	add := func(list []Tracking) {
		for _, k := range list {
			if !seen[k.Name] {
				seen[k.Name] = true
				all = append(all, k)
			}
		}
	}
	for _, member := range c.together(in) {
		add(member.Track)
	}
	if g := c.groupOf(in.Name); g != nil {
		add(g.Track)
	}
	return all
}

// tracker returns the tracker of a name, which exists.
func (c *Config) tracker(name string) *Track {
	for i := range c.Tracks {
		if c.Tracks[i].Name == name {
			return &c.Tracks[i]
		}
	}
	return new(Track)
}
