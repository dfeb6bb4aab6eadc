package keepalived

import (
	"net"
	"net/netip"
	"strings"
	"time"

	"holdfast/conf/convert"
	"holdfast/vrrp"
)

// An instance is a vrrp_instance as keepalived runs it.
type instance struct {
	old, name string // in keepalived and in holdfast
	d         *directive
	body      []*directive
	vrid      int
	six       bool // IPv6
	version   int
	strict    bool
	priority  int
	iface     string
	vmac      bool
	unicast   bool
	bare      bool // without any address
	addresses []vip
	excluded  []vip
}

// word returns the last directive of a name in the instance, or nil.
func (in *instance) word(names ...string) *directive { return last(in.body, names...) }

// readInstance reads what decides about other things.
func (c *converter) readInstance(d *directive) {
	old := d.arg(1)
	if c.instances[old] != nil {
		c.report.Person(d.at, "there is a vrrp_instance %s already, at %v: keepalived ignores this one", old, c.instances[old].d.at)
		skip(d.body)
		return
	}
	in := &instance{old: old, d: d, body: d.body, version: 2}
	in.name = c.name("router", old, d.at)
	if k := in.word("interface"); k != nil {
		in.iface = k.arg(1)
	}
	if k := in.word("virtual_router_id"); k != nil {
		n, ok := number(k.arg(1), 1, 255)
		if !ok {
			c.report.Person(k.at, "virtual_router_id must be from 1 to 255, not %q: keepalived does not run the instance", k.arg(1))
			skip(d.body)
			return
		}
		in.vrid = n
	} else {
		c.report.Person(d.at, "the vrrp_instance %s has no virtual_router_id: keepalived does not run it", old)
		skip(d.body)
		return
	}
	in.strict = c.global.strict
	if k := in.word("strict_mode"); k != nil {
		in.strict, _ = truth(k)
	}
	in.vmac = in.word("use_vmac") != nil
	in.unicast = in.word("unicast_peer") != nil
	c.readAddresses(in)
	c.readVersion(in)
	c.readPriority(in)
	c.instances[old] = in
	c.order = append(c.order, in)
}

func (c *converter) readVersion(in *instance) {
	for _, k := range []*directive{c.global.version, in.word("version")} {
		if k == nil {
			continue
		}
		n, ok := number(k.arg(1), 2, 3)
		if !ok {
			c.report.Person(k.at, "%s: keepalived ignores %q", k.name(), k.arg(1))
			continue
		}
		in.version = n
	}
	if in.six {
		in.version = 3
	}
}

// readPriority reads the state and the priority: without a priority, MASTER means
// the owner of the addresses.
func (c *converter) readPriority(in *instance) {
	in.priority = 100
	k := in.word("priority")
	state := in.word("state")
	switch {
	case k != nil:
		n, ok := number(k.arg(1), 1, 255)
		if !ok {
			c.report.Person(k.at, "priority must be from 1 to 255, not %q: keepalived takes 100", k.arg(1))
			return
		}
		in.priority = n
	case state != nil && state.arg(1) == "MASTER":
		in.priority = vrrp.PriorityOwner
		c.report.Note(state.at, "state MASTER without a priority is priority 255 in keepalived, the owner of the addresses; probably 100 or so was meant")
	}
	if state != nil && state.arg(1) != "MASTER" && state.arg(1) != "BACKUP" {
		c.report.Person(state.at, "state: keepalived does not know %q and takes BACKUP", state.arg(1))
	}
}

// draftInstance makes the table.
func (c *converter) draftInstance(in *instance) {
	t := c.draft.List("vrrp", in.d.at)
	t.Set(in.d.at, "name", in.name)
	t.Comment("", in.d.comments...)
	c.draftInterface(t, in)
	c.set(t, in.word("virtual_router_id"), "vrid", in.vrid)
	if in.version != 3 {
		t.Set(position(in.d, in.word("version"), c.global.version), "version", in.version)
	}
	t.Set(position(in.d, in.word("priority"), in.word("state")), "priority", in.priority)
	t.Comment("priority", comments(in.word("priority"))...)
	c.draftInterval(t, in)
	c.draftPreempt(t, in)
	c.draftSending(t, in)
	c.draftMAC(t, in)
	c.draftAccept(t, in)
	c.draftAddresses(t, in)
	c.draftDelays(t, in)
	c.draftTracking(t, in.body, in)
	c.noteLowest(in)
	c.draftAuth(t, in)
	if !in.bare {
		c.draftInstanceGARP(t, in)
	}
	c.draftPrograms(t, in.body)
	c.draftRoutes(t, in)
	c.draftRules(t, in)
	c.noteMail(in.body, &c.mail.instance, "vrrp")
	if k := in.word("notify_priority_changes"); k != nil {
		on, _ := truth(k)
		c.global.priorityChanges = c.global.priorityChanges || on
	}
	if k := in.word("lvs_sync_daemon_interface"); k != nil {
		c.draftSync(k, in.old)
	}
}

// set sets a key that comes from a directive, with its comment. Without the directive
// it does nothing.
func (c *converter) set(t *convert.Table, d *directive, key string, value any) {
	if d != nil {
		t.Set(d.at, key, value)
		t.Comment(key, d.comments...)
	}
}

// position returns where the first directive that is there stands, or otherwise.
func position(otherwise *directive, list ...*directive) convert.Position {
	for _, d := range list {
		if d != nil {
			return d.at
		}
	}
	return otherwise.at
}

func comments(d *directive) []string {
	if d == nil {
		return nil
	}
	return d.comments
}

func (c *converter) draftInterface(t *convert.Table, in *instance) {
	k := in.word("interface")
	switch {
	case k != nil:
		c.set(t, k, "interface", in.iface)
	case in.unicast && c.global.defaultInterface != "":
		t.Set(in.d.at, "interface", c.global.defaultInterface)
		c.report.Note(in.d.at, "the instance has no interface: the default_interface %q was written, because holdfast sends adverts on one interface", c.global.defaultInterface)
	case in.unicast:
		c.report.Person(in.d.at, "the instance has no interface, so keepalived sends as the routes say: holdfast needs one")
	default:
		c.report.Person(in.d.at, "the instance has no interface: keepalived does not run it")
	}
}

// draftInterval sets the advert interval that ran.
func (c *converter) draftInterval(t *convert.Table, in *instance) {
	k := in.word("advert_int")
	if k == nil {
		return // one second, for both
	}
	v, ok := seconds(k.arg(1))
	if !ok || v < 10*time.Millisecond || v > 255*time.Second {
		c.report.Person(k.at, "advert_int must be from 0.01 to 255 seconds, not %q: keepalived takes 1 s", k.arg(1))
		return
	}
	ran := min(v.Round(10*time.Millisecond), 40950*time.Millisecond)
	if in.version == 2 {
		ran = max(time.Second, v.Round(time.Second))
	}
	if ran != v {
		c.report.Note(k.at, "advert_int %s is not possible with version %d: keepalived takes %s", k.arg(1), in.version, duration(ran))
	}
	c.set(t, k, "interval", duration(ran))
}

func (c *converter) draftPreempt(t *convert.Table, in *instance) {
	state := in.word("state")
	master := state != nil && state.arg(1) == "MASTER"
	no := in.word("nopreempt", "preempt") // the last of the two counts
	if no != nil && no.word.name == "preempt" {
		no = nil
	}
	switch {
	case no == nil:
	case master:
		c.report.Note(no.at, "nopreempt has no effect in keepalived, because the state is MASTER: probably state BACKUP on all directors was meant, for which write preempt = false")
	case in.priority == vrrp.PriorityOwner:
		c.report.Note(no.at, "nopreempt has no effect with priority 255")
	default:
		c.set(t, no, "preempt", false)
	}
	delay := in.word("preempt_delay")
	if delay == nil {
		return
	}
	v, ok := seconds(delay.arg(1))
	switch {
	case !ok || v > 1000*time.Second:
		c.report.Person(delay.at, "preempt_delay must be from 0 to 1000 seconds, not %q: keepalived ignores it", delay.arg(1))
	case master || in.strict || no != nil || in.priority == vrrp.PriorityOwner:
		c.report.Note(delay.at, "preempt_delay has no effect in keepalived, because of state MASTER, nopreempt, strict mode or priority 255")
	case v > 0:
		c.set(t, delay, "preempt_delay", duration(v))
	}
}

// draftSending sets how adverts are sent.
func (c *converter) draftSending(t *convert.Table, in *instance) {
	source := in.word("unicast_src_ip", "mcast_src_ip")
	if source != nil {
		if a, ok := address(source.arg(1)); ok {
			c.set(t, source, "source", a.String())
		} else {
			c.report.Person(source.at, "%s: %q is no address", source.name(), source.arg(1))
			source = nil
		}
	}
	group := in.word("mcast_dst_ip")
	if group == nil {
		if group = c.global.mcast4; in.six {
			group = c.global.mcast6
		}
	}
	peers := in.word("unicast_peer")
	if in.unicast {
		c.draftPeers(t, in, peers, source)
	}
	if k := in.word("unicast_ttl"); k != nil {
		if n, ok := number(k.arg(1), 1, 255); ok && in.unicast {
			c.set(t, k, "ttl", n)
		} else {
			c.report.Note(k.at, "unicast_ttl has no effect: it needs unicast_peer and a number from 1 to 255")
		}
	}
	if group != nil && !in.unicast {
		c.set(t, group, "multicast", group.arg(1))
	}
	if k := in.word("dont_track_primary"); k != nil {
		c.set(t, k, "track_link", false)
	}
	if k := in.word("down_timer_adverts"); k != nil {
		c.draftDownAfter(t, k)
	} else if c.global.downAfter != nil {
		c.draftDownAfter(t, c.global.downAfter)
	}
	k := in.word("v3_checksum_as_v2")
	if k == nil {
		k = c.global.checksumV2
	}
	if k != nil {
		if on, _ := truth(k); on && in.version == 3 && !in.six {
			c.set(t, k, "checksum", "rfc9568")
		}
	}
}

func (c *converter) draftDownAfter(t *convert.Table, k *directive) {
	if n, ok := number(k.arg(1), 1, 100); ok {
		c.set(t, k, "down_after", n)
	} else {
		c.report.Person(k.at, "%s must be from 1 to 100, not %q: keepalived takes 3", k.name(), k.arg(1))
	}
}

// keepalivedHopLimit is the hop limit of keepalived's unicast adverts over IPv6.
const keepalivedHopLimit = 64

func (c *converter) draftPeers(t *convert.Table, in *instance, d, source *directive) {
	var peers []any
	for _, line := range d.body {
		a, ok := address(line.name())
		if !ok {
			c.report.Person(line.at, "unicast_peer: %q is no address: keepalived ignores it", line.name())
			continue
		}
		if source != nil && source.arg(1) == line.name() {
			c.report.Note(line.at, "unicast_peer %v is the director itself and was left out", a)
			continue
		}
		low, high := c.peerTTL(in, line)
		if low == vrrp.HopLimit {
			peers = append(peers, a.String())
		} else {
			peers = append(peers, convert.Inline{{Key: "address", Value: a.String()}, {Key: "min_ttl", Value: low}, {Key: "max_ttl", Value: high}})
		}
		t.Comment("", named(a.String(), line.comments)...)
	}
	if len(peers) == 0 {
		c.report.Person(d.at, "unicast_peer has no addresses: keepalived sends by multicast")
		in.unicast = false
		return
	}
	t.Set(d.at, "peers", peers)
	t.Set(d.at, "unicast", true)
	t.Comment("peers", d.comments...)
}

// peerTTL returns the TTLs to accept from a peer.
func (c *converter) peerTTL(in *instance, line *directive) (low, high int) {
	low, high = vrrp.HopLimit, vrrp.HopLimit
	if in.six {
		low = keepalivedHopLimit
	}
	for i := 1; i+1 < len(line.args); i += 2 {
		n, ok := number(line.args[i+1], 0, 255)
		switch {
		case line.args[i] == "min_ttl" && ok:
			low = max(n, 1)
		case line.args[i] == "max_ttl" && ok:
			high = max(n, 1)
		default:
			c.report.Person(line.at, "unicast_peer: keepalived does not understand %q", strings.Join(line.args[i:], " "))
			return low, high
		}
	}
	return low, high
}

// named puts what a comment is about in front of it.
func named(what string, comments []string) []string {
	var list []string
	for _, text := range comments {
		list = append(list, what+": "+text)
	}
	return list
}

// draftMAC sets the MAC address of the virtual addresses.
func (c *converter) draftMAC(t *convert.Table, in *instance) {
	k := in.word("use_vmac")
	in.word("use_vmac_addr")
	base := in.word("vmac_xmit_base")
	if k == nil {
		if !in.bare {
			t.Set(in.d.at, "mac", "interface")
		}
		if a := in.word("use_vmac_addr"); a != nil {
			c.report.Person(a.at, "use_vmac_addr without use_vmac: holdfast has either a virtual MAC on all interfaces of an instance, or on none")
		}
		return
	}
	t.Comment("", k.comments...)
	for _, word := range k.args[1:] {
		c.draftVMAC(t, in, k, word)
	}
	if base != nil && !in.unicast {
		c.set(t, base, "advert_mac", "interface")
	}
	if in.bare {
		c.report.Note(k.at, "use_vmac has no effect without addresses: holdfast makes no device then")
	}
}

// draftVMAC sets one of the words of use_vmac: a name or a MAC address.
func (c *converter) draftVMAC(t *convert.Table, in *instance, k *directive, word string) {
	mac := word
	if strings.Count(word, ":") == 4 { // without the last octet, which is the VRID
		mac += ":" + strings.ToLower(hex(in.vrid))
	}
	if hw, err := net.ParseMAC(mac); err == nil && len(hw) == 6 {
		t.Set(k.at, "mac", hw.String())
		return
	}
	switch {
	case word == "netlink_notify_msg":
	case word == "group":
		c.report.Note(k.at, "use_vmac group: holdfast leaves the group of the device alone")
	case in.bare:
	case strings.Contains(word, ".") || len(word) > 15:
		c.report.Note(k.at, "use_vmac %s: the device is called as holdfast calls it, because such a name cannot have a dot", word)
	default:
		if _, isNumber := number(word, 0, 1<<31); !isNumber {
			t.Set(k.at, "device", word)
		}
	}
}

func hex(n int) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[n>>4&15], digits[n&15]})
}

// draftAccept sets whether packets to the addresses are accepted: in strict mode only
// by the owner.
func (c *converter) draftAccept(t *convert.Table, in *instance) {
	said := in.word("accept", "no_accept") // the last of the two counts
	switch {
	case in.bare || in.priority == vrrp.PriorityOwner:
	case said != nil && said.word.name == "no_accept":
		c.set(t, said, "accept", false)
	case in.strict && said == nil:
		t.Set(in.d.at, "accept", false)
		c.report.Note(in.d.at, "in strict mode keepalived drops packets to the addresses, so that they do not even answer a ping: accept = false was written")
	}
}

// draftDelays sets delays of the start and of the link.
func (c *converter) draftDelays(t *convert.Table, in *instance) {
	if k := c.global.startDelay; k != nil {
		if v, ok := seconds(k.arg(1)); ok && v > 0 {
			t.Set(k.at, "start_delay", duration(v))
		}
	}
	line := c.linkDelay[in.iface]
	if line == nil {
		return
	}
	down, ok := seconds(line.arg(1))
	up, upOK := seconds(line.args[len(line.args)-1])
	if !ok || !upOK {
		c.report.Person(line.at, "interface_up_down_delays: %q is no time in seconds", line.text)
		return
	}
	if up > 0 {
		t.Set(line.at, "link_delay", duration(up))
	}
	if down > 0 {
		c.report.Note(line.at, "holdfast reacts to the loss of a link at once: the down delay of %s was left out", duration(down))
	}
}

// draftInstanceGARP sets how the addresses are announced.
func (c *converter) draftInstanceGARP(t *convert.Table, in *instance) {
	g := c.global.garp.clone()
	g.read(c, in.body, "")
	if p := c.garpPace[in.iface]; p != nil {
		g.interval4, g.interval6 = p.v4, p.v6
		g.at["interval"] = p.at
	}
	g.draft(t, in.d.at, in.six)
}

// familyOf tells the family of the adverts: that of the first address.
func familyOf(list []vip) (six bool) {
	return len(list) > 0 && list[0].Addr().Is6()
}

// isHost reports whether p is a single address.
func isHost(p netip.Prefix) bool { return p.IsSingleIP() }
