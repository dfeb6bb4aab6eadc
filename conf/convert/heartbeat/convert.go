package heartbeat

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"holdfast/conf/convert"
)

// Convert converts the files of one cluster for one of its nodes: the one that
// --director names, or this host.
func Convert(in convert.Input, report *convert.Report) *convert.Result {
	c := &converter{in: in, report: report, keys: map[string]key{}, said: map[string]bool{}, names: map[string]int{}}
	c.cluster.deadtime, c.cluster.failback = defaultDeadtime, true // legacy, the default, is on
	for _, f := range in.Files {
		if c.foreign(f) {
			continue
		}
		what := roleOf(f)
		read := map[role]func(line){roleHACF: c.hacf, roleResources: c.resources, roleKeys: c.authKey}[what]
		for _, l := range lines(f, report) {
			read(l)
		}
		if what == roleResources {
			c.unended(f)
		}
	}
	if c.cluster.resourcesCRM {
		return nil
	}
	if c.cluster.deadtimeAt == (convert.Position{}) && len(c.groups) > 0 {
		c.report.Note(c.groups[0].at, "there is no deadtime in ha.cf: the result has heartbeat's default, %v", defaultDeadtime)
	}
	c.self = c.chooseNode()
	names := c.trackers()
	for i := range c.groups {
		c.instance(i, &c.groups[i], names)
	}
	return c.draft.Finish(report)
}

// unended says that heartbeat's shell script does not see a last line without its end.
func (c *converter) unended(f convert.File) {
	last, _, _ := strings.Cut(f.Text[strings.LastIndexByte(f.Text, '\n')+1:], "#")
	if strings.TrimSpace(last) != "" {
		at := convert.Position{File: f.Name, Line: strings.Count(f.Text, "\n") + 1}
		c.report.Note(at, "heartbeat does not read this line, because no newline ends it: none of its resources ran; the file has what was probably meant")
	}
}

// A converter converts the files of a cluster.
type converter struct {
	in        convert.Input
	report    *convert.Report
	draft     convert.Draft
	cluster   cluster
	groups    []group
	keys      map[string]key
	activeKey string
	activeAt  convert.Position
	self      string // the node to convert for
	said      map[string]bool
	names     map[string]int // of resources by script
}

// once reports the same thing once.
func (c *converter) once(at convert.Position, person bool, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if c.said[text] {
		return
	}
	c.said[text] = true
	c.report.Add(convert.Finding{At: at, Person: person, Message: text})
}

// chooseNode returns the node that the result is for.
func (c *converter) chooseNode() string {
	if c.in.Director != "" {
		if len(c.cluster.nodes) > 0 && !slices.Contains(c.cluster.nodes, c.in.Director) {
			c.report.Person(convert.Position{}, "there is no node %s, only %s", c.in.Director, strings.Join(c.cluster.nodes, ", "))
		}
		return c.in.Director
	}
	short, _, _ := strings.Cut(c.in.Host, ".")
	for _, node := range c.cluster.nodes {
		if node == c.in.Host || node == short {
			return node
		}
	}
	if len(c.cluster.nodes) == 0 {
		return c.in.Host
	}
	first := c.cluster.nodes[0]
	c.report.Person(convert.Position{}, "this host is no node of the cluster; the result is for %s: use --director for another of %s", first, strings.Join(c.cluster.nodes, ", "))
	return first
}

// Priorities of the node that a group prefers, and of the others.
const (
	preferred = 150
	standby   = 100
)

// firstVRID is the virtual router ID of the first group.
const firstVRID = 51

// trackers writes the ping nodes, which ipfail makes matter, and returns their names.
func (c *converter) trackers() []string {
	var names []string
	for _, p := range c.cluster.pings {
		if !c.cluster.ipfail {
			c.report.Note(p.at, "ping %s: without ipfail nothing in heartbeat depends on it; a [[track]] of type ping could", strings.Join(p.addresses, " "))
			continue
		}
		name := "ping-" + strings.ReplaceAll(cmp.Or(p.group, p.addresses[0]), ":", "-")
		names = append(names, name)
		t := c.draft.List("track", p.at)
		t.Set(p.at, "name", name)
		if p.group == "" {
			t.Set(p.at, "type", "ping")
			t.Set(p.at, "address", p.addresses[0])
		} else {
			t.Set(p.at, "type", "service")
			t.Set(p.at, "service", name)
			c.pingGroup(&p, name)
		}
		t.Set(p.at, "weight", pingWeight)
		c.once(p.at, false, "a director that does not reach a ping node yields to one that does, as with ipfail")
	}
	return append(names, c.fibre()...)
}

// pingWeight has a director that lacks a ping node yield to one that does not.
const pingWeight = standby - preferred - 10

// fibre writes a tracker for Fibre Channel. heartbeat asks the first target of an adapter
// that it names as a library of the time did.
func (c *converter) fibre() []string {
	if len(c.cluster.fibre) == 0 {
		return nil
	}
	at := c.cluster.fibre[0].at
	if !c.cluster.ipfail {
		c.report.Note(at, "hbaping: without ipfail nothing in heartbeat depends on it; a [[track]] of type script could")
		return nil
	}
	t := c.draft.List("track", at)
	t.Set(at, "name", "hbaping")
	t.Set(at, "type", "script")
	t.Set(at, "command", []string{"/bin/sh", "-c", "grep -qsx Online /sys/class/fc_remote_ports/rport-*/port_state"})
	t.Set(at, "weight", pingWeight)
	c.report.Note(at, "hbaping: the result looks whether a remote port of Fibre Channel is online, of any adapter; heartbeat asks the first target of the one that the line names")
	return []string{"hbaping"}
}

// pingGroup writes the [[service]] that is up while any address of a group answers.
func (c *converter) pingGroup(p *ping, name string) {
	t := c.draft.List("service", p.at)
	t.Set(p.at, "name", name)
	t.Set(p.at, "active", "never")
	t.Sub("check", p.at).Set(p.at, "type", "ping")
	for _, address := range p.addresses {
		if _, err := netip.ParseAddr(address); err != nil {
			c.report.Person(p.at, "ping_group: holdfast needs the address of %s", address)
			continue
		}
		t.List("server", p.at).Set(p.at, "address", address)
	}
}

// instance writes the [[vrrp]] of a group.
func (c *converter) instance(i int, g *group, trackers []string) {
	if len(g.addresses) == 0 {
		c.otherResources(g, nil)
		c.report.Person(g.at, "the group of %s has no address: holdfast moves addresses", g.node)
		return
	}
	iface := c.iface(g)
	t := c.draft.List("vrrp", g.at)
	t.Set(g.at, "name", c.groupName(i))
	t.Set(g.at, "interface", iface)
	t.Set(g.at, "vrid", firstVRID+i)
	c.once(g.at, false, "vrid counts from %d: choose others if the network has them already", firstVRID)
	priority := standby
	if g.node == c.self {
		priority = preferred
	}
	t.Set(g.at, "priority", priority)
	t.Set(c.cluster.deadtimeAt, "interval", c.interval().String())
	if !c.cluster.failback {
		t.Set(c.cluster.failbackAt, "preempt", false)
	}
	t.Set(g.at, "mac", "interface")
	t.Set(g.at, "addresses", c.addresses(g, iface, true))
	if others := c.addresses(g, iface, false); len(others) > 0 {
		t.Set(g.at, "excluded_addresses", others) // an advert has addresses of one family
	}
	if len(trackers) > 0 {
		t.Set(c.cluster.trackedAt(), "track", trackers)
	}
	c.also(g, t, iface)
	c.auth(t)
	c.fence(t)
	c.otherResources(g, t)
	c.once(g.at, false, "heartbeat takes addresses over with the MAC of the interface, so the result has mac = \"interface\"; without that key both directors have one virtual MAC and no neighbour has to learn a new one")
}

func (c *converter) groupName(i int) string {
	if len(c.groups) == 1 {
		return "heartbeat"
	}
	return fmt.Sprintf("heartbeat-%d", i+1)
}

// interval returns the interval of adverts with which a dead MASTER is noticed after
// deadtime: RFC 9568 waits three of them and a skew of less than one.
func (c *converter) interval() time.Duration {
	const longest = 40 * time.Second // RFC 9568: 40.95 s
	d := (c.cluster.deadtime / 3).Round(100 * time.Millisecond)
	return min(max(d, 10*time.Millisecond), longest)
}

// iface returns the interface of a group: that of its first address.
func (c *converter) iface(g *group) string {
	iface := g.addresses[0].iface
	if iface == "" && len(c.cluster.media) > 0 {
		iface = c.cluster.media[0].iface
	}
	if iface == "" {
		iface = "eth0"
	}
	for _, a := range g.addresses {
		if a.iface == "" {
			c.report.Person(g.at, "heartbeat puts %v on the interface that has a route to it: the result has %s, which may be wrong", a.prefix.Addr(), iface)
		}
	}
	return iface
}

// addresses returns the addresses of the family of the first, or the others.
func (c *converter) addresses(g *group, iface string, first bool) []any {
	var all []any
	for _, a := range g.addresses {
		if (a.prefix.Addr().Is4() == g.addresses[0].prefix.Addr().Is4()) != first {
			continue
		}
		if a.noLength {
			c.report.Note(g.at, "heartbeat takes the prefix length of %v from the route to it: the result has /%d", a.prefix.Addr(), a.prefix.Bits())
		}
		if a.iface == "" || a.iface == iface {
			if a.broadcast == "" {
				all = append(all, a.prefix.String())
				continue
			}
		}
		table := convert.Inline{{Key: "address", Value: a.prefix.String()}}
		if a.iface != "" && a.iface != iface {
			table = append(table, convert.Pair{Key: "interface", Value: a.iface})
		}
		if a.broadcast != "" {
			table = append(table, convert.Pair{Key: "broadcast", Value: a.broadcast})
		}
		all = append(all, table)
	}
	return all
}
