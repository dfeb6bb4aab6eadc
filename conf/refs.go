package conf

import (
	"net/netip"
	"slices"

	"holdfast/lvs"
)

// resolve checks combinations of tables, and fills in what follows from several
// of them.
func (c *Config) resolve(s sections) {
	nameDevices(c.VRRP)
	c.checkNames(s)
	c.checkRouters(s.vrrp)
	c.checkMembers(s)
	c.checkFast(s)
	c.resolveFollow(s)
	c.checkServices(s.services)
	c.resolveUDP()
	c.checkViaMarks(s.services)
	c.checkDepends(s.services)
	c.checkAccepted(s)
	c.checkBFD(s)
	c.checkTracking(s)
	c.checkAlerts(s)
	c.checkPreemptCommands(s)
	c.checkResources(s)
	c.checkListens(s)
	c.checkTraps(s)
}

// unique finds the second use of a key. It maps each key to the file:line of its
// first use.
type unique[K comparable] map[K]string

// use returns where key was used before. If it was not, use remembers it and
// returns "".
func (u unique[K]) use(key K, where string) string {
	if first, ok := u[key]; ok {
		return first
	}
	u[key] = where
	return ""
}

// useOnce refuses a value of the key that was used before. A value that is missing or
// wrong has its own error.
func (t *table) useOnce(seen unique[string], key, value string) {
	if value == "" || !t.ok(key) {
		return
	}
	if first := seen.use(value, t.where(key)); first != "" {
		t.failf(key, "%q is already used at %s", value, first)
	}
}

// checkNames refuses duplicate names. Instances and groups share one name space,
// because commands like handover take either.
func (c *Config) checkNames(s sections) {
	seen := make(unique[string])
	check := func(t *table, name string) {
		if name == "" || !t.ok("name") {
			return
		}
		if first := seen.use(name, t.where("name")); first != "" {
			t.failf("name", "%q is already used at %s; instances and groups need different names", name, first)
		}
	}
	for i, t := range s.vrrp {
		check(t, c.VRRP[i].Name)
	}
	for i, t := range s.groups {
		check(t, c.Groups[i].Name)
	}
	services := make(unique[string])
	for i, t := range s.services {
		t.useOnce(services, "name", c.Services[i].Name)
	}
}

// checkMembers refuses groups of unknown instances, and instances in two groups.
func (c *Config) checkMembers(s sections) {
	names := c.instanceNames()
	home := make(unique[string])
	for i, t := range s.groups {
		if !t.ok("members") {
			continue
		}
		for _, member := range c.Groups[i].Members {
			if !slices.Contains(names, member) {
				t.failf("members", "there is no [[vrrp]] named %q%s", member, suggest(member, names))
				continue
			}
			if first := home.use(member, t.where("members")); first != "" {
				t.failf("members", "%q is already in a group, at %s", member, first)
			}
		}
	}
}

func (c *Config) instanceNames() []string {
	var names []string
	for _, in := range c.VRRP {
		names = append(names, in.Name)
	}
	return names
}

// resolveFollow resolves what services and the sync daemon follow.
func (c *Config) resolveFollow(s sections) {
	if s.sync != nil {
		c.LVS.resolveSync(s.sync)
		// Without VRRP there is nothing to follow, and the daemons run all the time.
		if follow := &c.LVS.Sync.Follow; *follow != "" || len(c.VRRP) > 0 {
			c.follow(s.sync, "follow", follow)
		}
	}
	for i, t := range s.services {
		v := &c.Services[i]
		switch {
		case v.Active == lvs.ActiveMaster:
			c.follow(t, "follow", &v.Follow)
		case v.Active == lvs.ActiveNever: // checkKey has refused it
		case t.ok("active"):
			t.forbid(`with active = "always"`, "follow")
			v.Follow = ""
		}
	}
}

// follow checks that *name is a group or instance. If it is "" and there is only
// one candidate, follow chooses that.
func (c *Config) follow(t *table, key string, name *string) {
	if !t.ok(key) {
		return
	}
	all, candidates := c.followable()
	switch {
	case *name != "" && !slices.Contains(all, *name):
		t.failf(key, "there is no [[group]] or [[vrrp]] named %q%s", *name, suggest(*name, all))
	case *name != "":
	case len(candidates) == 1:
		*name = candidates[0]
	case len(candidates) == 0:
		t.failf(key, "there is no [[group]] or [[vrrp]] to follow")
	default:
		t.failf(key, "is required, because there are several to follow: %s", orList(candidates))
	}
}

// followable returns the names that can be followed, and the candidates for the
// default: the groups or, without any, the instances.
func (c *Config) followable() (all, candidates []string) {
	for _, g := range c.Groups {
		candidates = append(candidates, g.Name)
	}
	all = append(slices.Clone(candidates), c.instanceNames()...)
	if len(candidates) == 0 {
		candidates = all
	}
	return all, candidates
}

// checkServices refuses services with the same key in the kernel.
func (c *Config) checkServices(tables []*table) {
	seen := make(unique[lvs.Key])
	for i, t := range tables {
		s := &c.Services[i]
		key := "address"
		if s.Service.Key.Mark != 0 {
			key = "mark"
		}
		if !t.ok("address", "mark", "protocol", "family") || !t.has(key) {
			continue
		}
		for _, k := range s.Keys() {
			if first := seen.use(k, t.where(key)); first != "" {
				t.failf(key, "%v is already used at %s", k, first)
				break
			}
		}
		// The kernel refuses the second of the two with EINVAL.
		if c.LVS.Sync.Interface != "" && s.MixedFamilies() {
			t.failf(key, "a server of the other address family is not possible together with [lvs.sync]")
		}
	}
}

// checkAccepted refuses services on addresses with accept = false. The filter
// drops their packets before IPVS, which works in LOCAL_IN, sees them.
func (c *Config) checkAccepted(s sections) {
	refused := make(map[netip.Addr]string)
	for i, t := range s.vrrp {
		if in := &c.VRRP[i]; !in.Accept && t.ok("accept") {
			for _, p := range slices.Concat(in.Prefixes, in.Excluded) {
				refused[p.Addr()] = t.where("accept")
			}
		}
	}
	for i, t := range s.services {
		for _, k := range c.Services[i].Keys() {
			if where := refused[k.Address.Addr()]; where != "" && t.ok("address") {
				t.failf("address", "packets for %v are dropped, because of accept = false at %s", k.Address.Addr(), where)
				break
			}
		}
	}
}
