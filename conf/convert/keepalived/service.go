package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"holdfast/conf/convert"
)

// A virtual is a virtual_server as keepalived runs it.
type virtual struct {
	d        *directive
	body     []*directive
	keys     []serviceKey // one, or those of a group
	protocol string
	forward  delivery
	servers  []*realServer
	host     string
}

// A serviceKey is an address with a port or a mark, or all addresses or all marks of a
// group. Then address and mark are the first.
type serviceKey struct {
	at       convert.Position
	address  netip.AddrPort
	mark     int
	six      bool   // of a mark
	group    string // the name of the group
	list     []string
	marks    []int
	comments []string
}

// A madeService is a [[service]] with the checks that its servers inherit. With own,
// every server has its own checks.
type madeService struct {
	t      *convert.Table
	checks []*check
	own    bool
}

// A delivery is a forwarding method with its tunnel.
type delivery struct {
	method, tunnel, checksum string
	port                     int
}

func (v *virtual) word(names ...string) *directive { return last(v.body, names...) }

// draftServices makes the [[service]] tables. Of two virtual_servers with one key,
// the kernel has the servers of both.
func (c *converter) draftServices() {
	groups := map[string]*directive{}
	for _, d := range c.named("virtual_server_group") {
		groups[d.arg(1)] = d
	}
	made := map[string]*madeService{}
	used := map[string]bool{}
	for _, d := range c.named("virtual_server") {
		v := &virtual{d: d, body: d.body}
		if d.arg(1) == "group" {
			used[d.arg(2)] = true
		}
		if !c.readVirtual(v, groups) {
			skip(d.body)
			continue
		}
		for _, key := range v.keys {
			c.draftService(v, key, made)
		}
	}
	for _, d := range c.named("virtual_server_group") {
		if !used[d.arg(1)] {
			c.report.Note(d.at, "no virtual_server names the group %s: it was left out", d.arg(1))
		}
	}
}

// readVirtual reads what all services of a virtual_server share.
func (c *converter) readVirtual(v *virtual, groups map[string]*directive) bool {
	switch d := v.d; {
	case d.arg(1) == "fwmark":
		n, ok := number(d.arg(2), 1, 1<<32-1)
		if !ok {
			c.report.Person(d.at, "virtual_server: %q is no firewall mark", d.arg(2))
			return false
		}
		v.keys = []serviceKey{{at: d.at, mark: n}}
	case d.arg(1) == "group":
		group := groups[d.arg(2)]
		if group == nil {
			c.report.Person(d.at, "there is no virtual_server_group %s: keepalived ignores this virtual_server", d.arg(2))
			return false
		}
		v.keys = c.groupKeys(group)
	default:
		key, ok := c.addressKey(d, d.args[1:])
		if !ok {
			return false
		}
		v.keys = []serviceKey{key}
	}
	v.readProtocol(c)
	if k := v.word("ip_family"); k != nil {
		for i := range v.keys {
			v.keys[i].six = k.arg(1) == "inet6"
		}
	}
	v.forward = c.delivery(v.word("lb_kind", "lvs_method"), delivery{method: "nat"})
	v.host = argOf(v.word("virtualhost"))
	c.readServers(v)
	return len(v.keys) > 0
}

// addressKey reads an address with an optional port.
func (c *converter) addressKey(d *directive, args []string) (serviceKey, bool) {
	key := serviceKey{at: d.at}
	if len(args) == 0 {
		c.report.Person(d.at, "%s has no address", d.name())
		return key, false
	}
	a, ok := address(args[0])
	port := 0
	if len(args) > 1 {
		var portOK bool
		port, portOK = number(args[1], 0, 65535)
		ok = ok && portOK
	}
	if !ok {
		c.report.Person(d.at, "%q is no address with a port: keepalived ignores it", strings.Join(args, " "))
	}
	key.address = netip.AddrPortFrom(a, uint16(port))
	return key, ok
}

func (v *virtual) readProtocol(c *converter) {
	k := v.word("protocol")
	v.protocol = "udp"
	marked := v.d.arg(1) == "fwmark"
	switch {
	case k == nil && !marked:
		c.report.Note(v.d.at, "the virtual_server has no protocol, which means UDP in keepalived; probably TCP was meant")
	case k == nil:
	case slices.Contains([]string{"TCP", "UDP", "SCTP"}, k.arg(1)):
		v.protocol = strings.ToLower(k.arg(1))
		if marked {
			c.report.Note(k.at, "protocol has no effect with a firewall mark")
		}
	default:
		c.report.Person(k.at, "protocol: keepalived does not know %q and takes UDP", k.arg(1))
	}
}

// groupKeys reads the entries of a virtual_server_group: one key for all addresses,
// and one for all marks of a family.
func (c *converter) groupKeys(group *directive) []serviceKey {
	group.used = true
	var addresses serviceKey
	marks := map[bool]*serviceKey{}
	for _, line := range group.body {
		if line.name() == "fwmark" {
			n, ok := number(line.arg(1), 1, 1<<32-1)
			if !ok {
				c.report.Person(line.at, "%q is no firewall mark", line.arg(1))
				continue
			}
			six := line.arg(2) == "inet6"
			if marks[six] == nil {
				marks[six] = &serviceKey{at: line.at, group: group.arg(1), mark: n, six: six}
			}
			marks[six].marks = append(marks[six].marks, n)
			marks[six].comments = append(marks[six].comments, named(line.text, line.comments)...)
			continue
		}
		list, first, ok := addressRange(line.name(), line.arg(1))
		if !ok {
			c.report.Person(line.at, "%q is no address or range with a port: keepalived ignores it", strings.Join(line.args, " "))
			continue
		}
		if len(addresses.list) == 0 {
			addresses.at, addresses.group, addresses.address = line.at, group.arg(1), first
		}
		addresses.list = append(addresses.list, list)
		addresses.comments = append(addresses.comments, named(line.text, line.comments)...)
	}
	var keys []serviceKey
	if len(addresses.list) > 0 {
		keys = append(keys, addresses)
	}
	for _, six := range []bool{false, true} {
		if marks[six] != nil {
			keys = append(keys, *marks[six])
		}
	}
	return keys
}

// addressRange reads an address, "10.0.0.1-9", "10.0.0.1-10.0.1.9" or "10.0.0.8/29"
// with a port, and writes it for holdfast.
func addressRange(s, portText string) (list string, first netip.AddrPort, ok bool) {
	port := 0
	if portText != "" {
		if port, ok = number(portText, 0, 65535); !ok {
			return "", first, false
		}
	}
	low, high, ok := bounds(s)
	if !ok || low.Is4() != high.Is4() || high.Less(low) {
		return "", first, false
	}
	first = netip.AddrPortFrom(low, uint16(port))
	if low == high {
		return first.String(), first, true
	}
	if low.Is6() {
		return fmt.Sprintf("[%v]-[%v]:%d", low, high, port), first, true
	}
	return fmt.Sprintf("%v-%v:%d", low, high, port), first, true
}

// bounds returns the first and the last address of a range.
func bounds(s string) (low, high netip.Addr, ok bool) {
	if from, to, ranged := strings.Cut(s, "-"); ranged {
		if low, ok = address(from); !ok {
			return low, high, false
		}
		if high, ok = address(to); ok {
			return low, high, true
		}
		sep := "."
		if low.Is6() {
			sep = ":"
		}
		high, ok = address(from[:strings.LastIndex(from, sep)+1] + to)
		return low, high, ok
	}
	p, ok := prefix(s)
	if !ok {
		return low, high, false
	}
	last := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(last)*8; i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	high, _ = netip.AddrFromSlice(last)
	return p.Masked().Addr(), high, true
}

// delivery reads lb_kind or lvs_method. keepalived compares with capitals, and takes
// NAT for what it does not know.
func (c *converter) delivery(d *directive, otherwise delivery) delivery {
	if d == nil {
		return otherwise
	}
	v := delivery{method: strings.ToLower(d.arg(1))}
	if !slices.Contains([]string{"NAT", "DR", "TUN"}, d.arg(1)) {
		v.method = "nat"
		c.report.Person(d.at, "%s: keepalived does not know %q and takes NAT%s", d.name(), d.arg(1), capitals(d.arg(1)))
		return v
	}
	args := d.args[2:]
	for len(args) > 0 {
		taken := 1
		switch args[0] {
		case "type":
			taken = 2
			if len(args) > 1 {
				v.tunnel = args[1]
			}
		case "port":
			taken = 2
			if len(args) > 1 {
				v.port, _ = number(args[1], 1, 65535)
			}
		case "nocsum":
		case "csum":
			v.checksum = "outer"
		case "remcsum":
			v.checksum = "remote"
		default:
			c.report.Person(d.at, "%s: keepalived does not understand %q", d.name(), args[0])
		}
		args = args[min(taken, len(args)):]
	}
	return v
}

func capitals(s string) string {
	if s != strings.ToUpper(s) && slices.Contains([]string{"NAT", "DR", "TUN"}, strings.ToUpper(s)) {
		return "; probably " + strings.ToUpper(s) + " was meant"
	}
	return ""
}

// set sets the keys of a delivery.
func (v delivery) set(t *convert.Table, at convert.Position) {
	t.Set(at, "forward", v.method)
	if v.method != "tun" {
		return
	}
	if v.tunnel != "" {
		t.Set(at, "tunnel", v.tunnel)
	}
	if v.port != 0 {
		t.Set(at, "tunnel_port", v.port)
	}
	if v.checksum != "" {
		t.Set(at, "tunnel_checksum", v.checksum)
	}
}

// draftService makes the [[service]] of one key.
func (c *converter) draftService(v *virtual, key serviceKey, made map[string]*madeService) {
	id := key.id(v.protocol)
	if m := made[id]; m != nil {
		c.report.Note(v.d.at, "there is a virtual_server %s already: the kernel has the servers of both, and so was written; quorum and sorry_server of this one are left out", id)
		c.draftServers(m, v, key)
		skip(v.body)
		return
	}
	t := c.draft.List("service", key.at)
	m := &madeService{t: t, checks: c.commonChecks(v)}
	m.own = lasting(m.checks) && !allSame(v, m.checks)
	made[id] = m
	t.Set(key.at, "name", c.name("service", id, key.at))
	t.Comment("", v.d.comments...)
	if key.mark != 0 {
		t.Set(key.at, "mark", few(key.marks, key.mark))
		t.Comment("mark", key.comments...)
		if key.six {
			t.Set(key.at, "family", "ipv6")
		}
	} else {
		t.Set(key.at, "address", few(key.list, key.address.String()))
		t.Comment("address", key.comments...)
		t.Set(position(v.d, v.word("protocol")), "protocol", v.protocol)
	}
	c.draftScheduling(t, v, key)
	v.forward.set(t, position(v.d, v.word("lb_kind", "lvs_method")))
	c.draftFailure(t, v, key)
	if !m.own {
		c.draftChecks(t, v.d.at, m.checks, nil)
	}
	c.draftServers(m, v, key)
	c.draftQuorum(t, v)
	c.noteMail(v.body, &c.mail.service, "checker")
}

// few returns one value, or a list of several.
func few[T any](list []T, one T) any {
	switch len(list) {
	case 0:
		return one
	case 1:
		return list[0]
	}
	values := make([]any, len(list))
	for i, v := range list {
		values[i] = v
	}
	return values
}

// id is the name of a service, as other converters make it, or that of the group.
func (k serviceKey) id(protocol string) string {
	switch {
	case k.group != "" && k.mark != 0:
		return k.group + "-marks"
	case k.group != "":
		return k.group + "-" + protocol
	case k.mark != 0 && k.six:
		return fmt.Sprintf("mark-%d-ipv6", k.mark)
	case k.mark != 0:
		return fmt.Sprintf("mark-%d", k.mark)
	case k.address.Port() == 0:
		return fmt.Sprintf("%s-%v", protocol, k.address.Addr())
	}
	return fmt.Sprintf("%s-%v", protocol, k.address)
}

// schedulers are those that keepalived knows.
var schedulers = strings.Fields("rr wrr lc wlc lblc lblcr sh mh dh fo ovf sed nq twos")

func (c *converter) draftScheduling(t *convert.Table, v *virtual, key serviceKey) {
	if k := v.word("lb_algo", "lvs_sched"); k != nil {
		name := k.arg(1)
		if !slices.Contains(schedulers, name) {
			c.report.Person(k.at, "%s: keepalived does not know %q and takes wlc", k.name(), name)
			name = "wlc"
		}
		c.set(t, k, "scheduler", name)
	}
	var flags []string
	var first *directive
	for _, k := range all(v.body, "flag-1", "flag-2", "flag-3", "sh-port", "sh-fallback", "mh-port", "mh-fallback") {
		flags = append(flags, k.name())
		if first == nil {
			first = k
		}
	}
	if first != nil {
		t.Set(first.at, "scheduler_flags", flags)
	}
	if k := v.word("ops"); k != nil {
		if v.protocol == "udp" || key.mark != 0 {
			c.set(t, k, "one_packet", true)
		} else {
			c.report.Note(k.at, "ops has no effect with %s", strings.ToUpper(v.protocol))
		}
	}
	c.draftPersistence(t, v, key)
}

// defaultPersistence is that of persistence_timeout without a number, and of a
// service without a port.
const defaultPersistence = 360 * time.Second

func (c *converter) draftPersistence(t *convert.Table, v *virtual, key serviceKey) {
	k, grain, engine := v.word("persistence_timeout"), v.word("persistence_granularity"), v.word("persistence_engine")
	timeout := time.Duration(0)
	switch {
	case k != nil && k.arg(1) == "":
		timeout = defaultPersistence
	case k != nil:
		n, ok := number(k.arg(1), 1, 31*24*3600)
		if timeout = time.Duration(n) * time.Second; !ok {
			c.report.Person(k.at, "persistence_timeout: keepalived ignores %q", k.arg(1))
			timeout = 0
		}
	case grain != nil || engine != nil || key.mark == 0 && key.address.Port() == 0:
		timeout = defaultPersistence
	}
	if timeout == 0 {
		return
	}
	t.Set(position(v.d, k), "persistence", duration(timeout))
	t.Comment("persistence", comments(k)...)
	if grain != nil {
		if bits, ok := maskBits(grain.arg(1)); ok {
			t.Set(grain.at, "persistence_prefix", bits)
		} else {
			c.report.Person(grain.at, "persistence_granularity: %q is no netmask", grain.arg(1))
		}
	}
	c.set(t, engine, "persistence_engine", argOf(engine))
}

// maskBits reads a netmask of IPv4, or a prefix length.
func maskBits(s string) (int, bool) {
	if n, ok := number(s, 1, 128); ok {
		return n, true
	}
	a, ok := address(s)
	if !ok || !a.Is4() {
		return 0, false
	}
	b := a.As4()
	bits := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n := 0
	for bits&(1<<31) != 0 {
		n, bits = n+1, bits<<1
	}
	return n, bits == 0 && n > 0
}

// draftFailure sets what happens when servers are down.
func (c *converter) draftFailure(t *convert.Table, v *virtual, key serviceKey) {
	c.draftOnDown(t, v)
	k := v.word("sorry_server")
	method := v.word("sorry_server_lvs_method")
	if k == nil {
		if method != nil {
			c.report.Note(method.at, "sorry_server_lvs_method has no effect without sorry_server")
		}
		return
	}
	a, ok := c.addressKey(k, k.args[1:])
	if !ok {
		return
	}
	port := a.address.Port()
	forward := c.delivery(method, v.forward)
	if port == 0 || forward.method != "nat" && port != key.address.Port() && key.mark == 0 {
		if port != 0 {
			c.report.Note(k.at, "sorry_server: without NAT its port must be that of the service, and keepalived takes that")
		}
		port = key.address.Port()
	}
	t.Set(k.at, "fallback", netip.AddrPortFrom(a.address.Addr(), port).String())
	t.Comment("fallback", k.comments...)
	if forward != v.forward {
		t.Set(method.at, "fallback_forward", forward.method)
	}
}

// draftOnDown sets on_down, which holdfast has for a whole service.
func (c *converter) draftOnDown(t *convert.Table, v *virtual) {
	k := v.word("inhibit_on_failure")
	inhibited := 0
	var one *directive
	for _, r := range v.servers {
		if r.inhibit {
			inhibited++
			one = r.d
		}
	}
	switch {
	case inhibited == 0:
		return
	case inhibited < len(v.servers):
		c.report.Person(one.at, "inhibit_on_failure of some servers only: holdfast has on_down for the whole service, and \"remove\" holds now")
	default:
		t.Set(position(one, k), "on_down", "quiesce")
	}
}
