package lvs

import "time"

// A quorum is whether a service is up: whether its servers have enough weight
// together.
type quorum struct {
	health Health // Unknown until it is decided
	// up is the memory of the hysteresis. Before the first decision it says whether
	// the kernel served by the servers.
	up bool
}

// A ServiceChange is that a service went up or down.
type ServiceChange struct {
	Service  string
	Was, Now Health // Was is Unknown at the first decision
	Weight   int    // the sum of the weights of the servers that are up
}

// Expired are orders of an operator for a server that have ended.
type Expired struct {
	Ref   Ref
	Ended Override
}

// Changes are what Step found.
type Changes struct {
	Services []ServiceChange // in the order of the configuration, as is Expired
	Expired  []Expired
}

// Step takes into account what has changed since the last Step, and the time. Call it
// after changes, before Wanted, and at Deadline.
func (t *Table) Step(now time.Time) Changes {
	t.now = now
	var done Changes
	for i := range t.services {
		c := &t.services[i]
		for j := range c.Servers {
			s := &c.Servers[j]
			state := t.servers[c.id(s)]
			if ended := state.expire(now); ended != (Override{}) {
				done.Expired = append(done.Expired, Expired{Ref{c.Name, s.name()}, ended})
			}
			state.rise.step(now, c.SlowStart, state.health, state.live(s.Server.Weight))
		}
		if change, is := t.decide(c); is {
			done.Services = append(done.Services, change)
		}
	}
	return done
}

// Deadline returns when Step has something to do although nothing changes; zero if
// never.
func (t *Table) Deadline() time.Time {
	var next time.Time
	for i := range t.services {
		c := &t.services[i]
		for j := range c.Servers {
			s := &c.Servers[j]
			state := t.servers[c.id(s)]
			next = sooner(next, state.until())
			next = sooner(next, state.rise.next(t.now, c.SlowStart, state.live(s.Server.Weight)))
		}
	}
	return next
}

// ServiceHealth returns whether a service is up; Unknown if that is not decided yet or
// the service is not configured.
func (t *Table) ServiceHealth(service string) Health {
	if q := t.quorums[service]; q != nil {
		return q.health
	}
	return Unknown
}

// configureQuorums keeps what is known of the configured services.
func (t *Table) configureQuorums() {
	former := t.quorums
	t.quorums = make(map[string]*quorum, len(t.services))
	for i := range t.services {
		name := t.services[i].Name
		q := former[name]
		if q == nil {
			q = &quorum{}
			if t.recalled != nil {
				t.recalled.service(name, q)
			}
		}
		t.quorums[name] = q
	}
}

// adoptQuorum notes that a service of which the kernel uses a server was up, and that
// the other servers rise slowly when they come up.
func (t *Table) adoptQuorum(c *ServiceConfig) {
	if q := t.quorums[c.Name]; q.health == Unknown {
		q.up = true
	}
	for i := range c.Servers {
		if state := t.servers[c.id(&c.Servers[i])]; state.health == Unknown {
			state.rise.due = true
		}
	}
}

// weights returns the sum of the weights of the servers that are up, and of those that
// no check has reported yet.
func (t *Table) weights(c *ServiceConfig) (live, unknown int) {
	for i := range c.Servers {
		s := &c.Servers[i]
		state := t.servers[c.id(s)]
		live += state.live(s.Server.Weight)
		if state.health == Unknown {
			full, _ := state.weight(s.Server.Weight)
			unknown += full
		}
	}
	return live, unknown
}

// enough reports whether a weight makes a service up that was up, or was not
// (keepalived, ipwrapper.c, update_quorum_state).
func (c *ServiceConfig) enough(up bool, weight int) bool {
	least := max(c.Quorum, 1)
	if up {
		least -= c.Hysteresis
	} else {
		least += c.Hysteresis
	}
	return weight >= least
}

// decide brings the quorum of a service up to date. As long as servers that were not
// checked yet could make a service up, it is not down.
func (t *Table) decide(c *ServiceConfig) (change ServiceChange, is bool) {
	q := t.quorums[c.Name]
	live, unknown := t.weights(c)
	now := q.health
	switch {
	case c.enough(q.up, live):
		now = Up
	case !c.enough(q.up, live+unknown):
		now = Down
	}
	change = ServiceChange{Service: c.Name, Was: q.health, Now: now, Weight: live}
	if now != Unknown {
		q.up = now == Up
	}
	q.health = now
	return change, change.Was != now
}

// wantedServers returns the servers that the kernel should have of a service now.
// While the weights are not enough, the fallbacks take the place of the servers.
func (t *Table) wantedServers(c *ServiceConfig) []Server {
	live, _ := t.weights(c)
	serve := len(c.Fallbacks) == 0 || c.enough(t.quorums[c.Name].up, live)
	servers := make([]Server, 0, len(c.Servers)+len(c.Fallbacks))
	for i := range c.Servers {
		state := t.servers[c.id(&c.Servers[i])]
		s, in := state.server(c.Servers[i].Server.Canonical(), c.OnDown)
		switch {
		case !in || !serve && s.Weight > 0 && c.OnDown == Remove:
			continue
		case !serve:
			s.Weight = 0
		default:
			s.Weight = state.rise.weight(t.now, c.SlowStart, s.Weight)
		}
		servers = append(servers, s)
	}
	if !usable(servers) {
		for _, a := range c.Fallbacks {
			servers = append(servers, c.fallback(a))
		}
	}
	return servers
}

// server returns s with the weight that it should have, and whether it should be
// in the kernel at all.
func (st *serverState) server(s Server, onDown OnDown) (Server, bool) {
	switch {
	case st.health == Up:
		s.Weight, _ = st.weight(s.Weight)
		return s, true
	case st.health == Down && onDown == Quiesce, st.quiesced:
		s.Weight = 0
		return s, true
	}
	return s, false
}

// drained reports whether an operator or a file drains the server.
func (st *serverState) drained() bool { return st.override.Drained != nil || st.file != "" }

// live returns the weight that a server adds to the quorum.
func (st *serverState) live(configured int) int {
	if st.health != Up {
		return 0
	}
	full, _ := st.weight(configured)
	return full
}

// weight returns the weight of a server that is up, and where it comes from.
func (st *serverState) weight(configured int) (int, WeightSource) {
	switch {
	case st.drained():
		return 0, FromOperator
	case st.override.Weight != nil:
		return st.override.Weight.Weight, FromOperator
	case st.checked != nil:
		return *st.checked, FromCheck
	}
	return configured, FromConfig
}
