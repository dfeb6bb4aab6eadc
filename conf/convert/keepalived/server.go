package keepalived

import (
	"net/netip"
	"reflect"
	"slices"

	"holdfast/conf/convert"
)

// A realServer is a real_server as keepalived runs it.
type realServer struct {
	d       *directive
	body    []*directive
	v       *virtual
	address netip.AddrPort // port 0: that of the service
	weight  int
	forward delivery
	inhibit bool
	alpha   bool
	host    string
	checks  []*check
}

func (r *realServer) word(names ...string) *directive { return last(r.body, names...) }

// pick returns the last directive of a name in the server, or else in the virtual
// server.
func (r *realServer) pick(name string) *directive {
	outer := r.v.word(name)
	if d := r.word(name); d != nil {
		return d
	}
	return outer
}

// maxWeightIPVS is the largest weight of a server that keepalived takes.
const maxWeightIPVS = 1<<31 - 1

// readServers reads the real_servers. Of two with one address the first holds.
func (c *converter) readServers(v *virtual) {
	for _, name := range []string{"alpha", "retry", "delay_before_retry", "connect_timeout", "delay_loop", "weight", "smtp_alert", "inhibit_on_failure"} {
		v.word(name)
	}
	seen := map[netip.AddrPort]bool{}
	for _, d := range all(v.body, "real_server") {
		r := &realServer{d: d, body: d.body, v: v, forward: c.delivery(last(d.body, "lvs_method"), v.forward)}
		key, ok := c.addressKey(d, d.args[1:])
		if !ok {
			skip(d.body)
			continue
		}
		if r.address = key.address; seen[r.address] {
			c.report.Note(d.at, "the real_server %v is there twice: keepalived takes the first", r.address)
			skip(d.body)
			continue
		}
		seen[r.address] = true
		c.readServer(r)
		v.servers = append(v.servers, r)
	}
}

func (c *converter) readServer(r *realServer) {
	r.weight = 1
	if k := r.pick("weight"); k != nil {
		n, ok := number(k.arg(1), 0, maxWeightIPVS)
		if !ok {
			c.report.Person(k.at, "weight must be from 0 to %d, not %q: keepalived takes 1", maxWeightIPVS, k.arg(1))
			n = 1
		}
		r.weight = n
	}
	on := func(name string) bool {
		k := r.pick(name)
		if k == nil {
			return false
		}
		yes, ok := truth(k)
		if !ok {
			c.report.Person(k.at, "%s: keepalived ignores %q", name, k.arg(1))
		}
		return yes
	}
	r.inhibit, r.alpha = on("inhibit_on_failure"), on("alpha")
	if r.host = argOf(r.word("virtualhost")); r.host == "" {
		r.host = r.v.host
	}
	c.readChecks(r)
	for _, k := range r.checks {
		r.alpha = r.alpha || k.alpha
	}
	c.mail.server = c.alert(r.body, "checker", true) || c.mail.server
}

// draftServers adds the servers to a service.
func (c *converter) draftServers(m *madeService, v *virtual, key serviceKey) {
	for _, r := range v.servers {
		s := m.t.List("server", r.d.at)
		address := r.address
		text := ""
		if address.Port() == 0 && len(key.list) > 1 || r.forward.method != "nat" && len(key.list) > 1 {
			text = address.Addr().String() // each service has the port of its own
		} else if address.Port() == 0 || r.forward.method != "nat" && address.Port() != key.address.Port() && key.mark == 0 {
			if address.Port() != 0 {
				c.report.Note(r.d.at, "the port of %v: without NAT it must be that of the service, and keepalived takes that", address)
			}
			address = netip.AddrPortFrom(address.Addr(), key.address.Port())
		}
		if text == "" {
			text = address.String()
		}
		s.Set(r.d.at, "address", text)
		s.Comment("", r.d.comments...)
		s.Set(position(r.d, r.word("weight")), "weight", r.weight)
		s.Comment("weight", comments(r.word("weight"))...)
		if r.forward != v.forward {
			r.forward.set(s, position(r.d, r.word("lvs_method")))
		}
		if len(r.checks) > 0 {
			s.Set(position(r.d, r.word("alpha")), "starts_up", !r.alpha)
		}
		c.draftThresholds(s, r)
		switch {
		case m.own:
			c.draftChecks(s, r.d.at, r.checks, nil)
		case !sameChecks(r.checks, m.checks):
			c.draftChecks(s, r.d.at, r.checks, m.checks)
		}
		c.draftServerPrograms(s, r)
	}
}

func (c *converter) draftThresholds(s *convert.Table, r *realServer) {
	for _, x := range []struct{ word, key string }{{"uthreshold", "upper_threshold"}, {"lthreshold", "lower_threshold"}} {
		k := r.word(x.word)
		if k == nil {
			continue
		}
		if n, ok := number(k.arg(1), 0, 1<<31-1); ok {
			c.set(s, k, x.key, n)
		} else {
			c.report.Person(k.at, "%s: keepalived ignores %q", x.word, k.arg(1))
		}
	}
}

func (c *converter) draftServerPrograms(s *convert.Table, r *realServer) {
	for _, x := range []struct{ word, key string }{{"notify_up", "up"}, {"notify_down", "down"}} {
		if k := r.word(x.word); k != nil {
			if p := c.program(k); p != nil {
				s.Sub("notify", k.at).Set(k.at, x.key, p.value(true))
				c.scripts = append(c.scripts, p)
			}
		}
	}
}

// draftQuorum sets what counts for the service as a whole.
func (c *converter) draftQuorum(t *convert.Table, v *virtual) {
	sum := 0
	for _, r := range v.servers {
		sum += r.weight
	}
	quorum, hysteresis := 1, 0
	k, h := v.word("quorum"), v.word("hysteresis")
	if k != nil {
		n, ok := number(k.arg(1), 1, 1<<31-1)
		switch {
		case !ok:
			c.report.Person(k.at, "quorum: keepalived ignores %q", k.arg(1))
		case n > sum && sum > 0:
			c.report.Note(k.at, "quorum %d is more than the weights of all servers: keepalived takes their sum, %d", n, sum)
			quorum = sum
		default:
			quorum = n
		}
		c.set(t, k, "quorum", quorum)
	}
	if h != nil {
		n, ok := number(h.arg(1), 0, 1<<31-1)
		switch {
		case !ok:
			c.report.Person(h.at, "hysteresis: keepalived ignores %q", h.arg(1))
		case n >= quorum:
			c.report.Note(h.at, "hysteresis %d is not less than the quorum: keepalived takes %d", n, quorum-1)
			hysteresis = quorum - 1
		default:
			hysteresis = n
		}
		c.set(t, h, "hysteresis", hysteresis)
	}
	for _, key := range []string{"quorum_up", "quorum_down"} {
		if k := v.word(key); k != nil {
			if p := c.program(k); p != nil {
				t.Sub("notify", k.at).Set(k.at, key, p.value(true))
				c.scripts = append(c.scripts, p)
			}
		}
	}
	if k := v.word("omega"); k != nil {
		t.Sub("notify", k.at).Set(k.at, "down_at_stop", true)
	}
}

// commonChecks returns the checks that most servers have, of equals those that come
// first.
func (c *converter) commonChecks(v *virtual) []*check {
	var best []*check
	most := 0
	for i, r := range v.servers {
		if i > 0 && sameChecks(r.checks, v.servers[i-1].checks) {
			continue
		}
		n := 0
		for _, other := range v.servers {
			if sameChecks(r.checks, other.checks) {
				n++
			}
		}
		if n > most {
			best, most = r.checks, n
		}
		if 2*most > len(v.servers) {
			break
		}
	}
	return best
}

// allSame reports whether all servers have these checks.
func allSame(v *virtual, checks []*check) bool {
	for _, r := range v.servers {
		if !sameChecks(r.checks, checks) {
			return false
		}
	}
	return true
}

// lasting reports whether a check has keys that a server cannot take back once the
// service has them.
func lasting(checks []*check) bool {
	for _, k := range checks {
		for _, x := range k.keys {
			if slices.Contains([]string{"address", "source", "device", "mark"}, x.key) {
				return true
			}
		}
		if len(k.tls) > 1 || len(k.requests) > 0 { // more than verify
			return true
		}
	}
	return false
}

func sameChecks(a, b []*check) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].kind != b[i].kind || !reflect.DeepEqual(a[i].values(), b[i].values()) {
			return false
		}
	}
	return true
}
