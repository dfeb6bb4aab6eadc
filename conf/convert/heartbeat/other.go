package heartbeat

import (
	"fmt"
	"strings"

	"holdfast/conf/convert"
)

// A resource is what a group has beside addresses.
type resource struct {
	script    string
	arguments []string
	before    bool // the line names it before the first address
}

// agents are scripts of heartbeat's resource.d that only call an agent of the Open
// Cluster Framework, with the parameters that their arguments are.
var agents = map[string][]string{
	"AudibleAlarm": {"nodelist"},
	"Filesystem":   {"device", "directory", "fstype", "options"},
	"LVM":          {"volgrpname"},
	"LinuxSCSI":    {"scsi"},
	"MailTo":       {"email", "subject"},
	"Raid1":        {"raidconf", "raiddev"},
	"ServeRAID":    {"serveraid", "mergegroup"},
	"WAS":          {"config", "port"},
	"WinPopup":     {"hostfile"},
	"Xinetd":       {"service"},
	"apache":       {"configfile"},
	"db2":          {"instance"},
	"portblock":    {"protocol", "portno", "action"},
}

// otherResources writes what a group has beside addresses to its table; nil if it has no
// addresses, and so none.
func (c *converter) otherResources(g *group, t *convert.Table) {
	for _, r := range g.others {
		switch r.script {
		case "ldirectord":
			c.report.Person(g.at, "ldirectord: convert its file %s too, with --from ldirectord, and put both results in one file", strings.Join(r.arguments, " "))
		case "SendArp", "IPsrcaddr", "Delay":
			c.report.Note(g.at, "%s: holdfast announces its addresses by itself", r.script)
		default:
			if t != nil {
				c.resource(g, t, &r)
			} else {
				c.report.Person(g.at, "%s: write it as [[group.resource]] of the group that it moves with", r.script)
			}
		}
	}
}

// resource writes one resource.
func (c *converter) resource(g *group, t *convert.Table, r *resource) {
	s := t.List("resource", g.at)
	s.Set(g.at, "name", c.resourceName(r.script))
	parameters, isAgent := agents[r.script]
	switch {
	case isAgent && (len(r.arguments) > 0 || r.script != "apache") && len(r.arguments) <= len(parameters):
		s.Set(g.at, "type", "ocf")
		s.Set(g.at, "agent", "heartbeat:"+r.script)
		var params convert.Inline
		for i, value := range r.arguments {
			params = append(params, convert.Pair{Key: parameters[i], Value: value})
		}
		if len(params) > 0 {
			s.Set(g.at, "params", params)
		}
	case len(r.arguments) > 0:
		s.Set(g.at, "type", "lsb")
		s.Set(g.at, "script", "/etc/ha.d/resource.d/"+r.script)
		s.Set(g.at, "args", r.arguments)
	default:
		s.Set(g.at, "type", "lsb")
		s.Set(g.at, "script", r.script)
		c.report.Note(g.at, "%s: heartbeat ran the script of that name in /etc/ha.d/resource.d, or else in /etc/init.d; where it is a unit of systemd now, write type = \"systemd\" and unit = %q", r.script, r.script)
	}
	if r.before {
		s.Set(g.at, "before", "addresses")
		s.Set(g.at, "exclusive", true) // heartbeat had given everything up before the other node began
	}
	s.Set(g.at, "on_failure", "fault")
	if c.cluster.failback {
		c.once(g.at, false, "heartbeat stopped resources before the other node started them; a node that preempts does not wait for that: preempt_command has the other one hand over first")
	}
	c.once(g.at, false, "a resource that does not start gives the addresses to the other director, as in heartbeat: on_failure = \"fault\"")
}

// resourceName returns a name that no other resource has.
func (c *converter) resourceName(script string) string {
	c.names[script]++
	if n := c.names[script]; n > 1 {
		return fmt.Sprintf("%s-%d", script, n)
	}
	return script
}
