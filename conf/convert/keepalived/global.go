package keepalived

import (
	"strings"
	"time"

	"holdfast/conf/convert"
)

// globals are the words of global_defs that others need.
type globals struct {
	body             []*directive // of all blocks of the name
	at               convert.Position
	comments         []string
	version          *directive
	strict           bool
	defaultInterface string
	garp             garp
	mcast4, mcast6   *directive
	startDelay       *directive
	downAfter        *directive
	checksumV2       *directive
	priorityChanges  bool
}

func (c *converter) readGlobals() {
	g := &c.global
	for i, d := range c.named("global_defs") {
		if i == 0 {
			g.at, g.comments = d.at, d.comments
		}
		g.body = append(g.body, d.body...)
	}
	g.version = last(g.body, "vrrp_version")
	if d := last(g.body, "vrrp_strict"); d != nil {
		g.strict = true
	}
	if d := last(g.body, "default_interface"); d != nil {
		g.defaultInterface = d.arg(1)
	}
	g.mcast4, g.mcast6 = last(g.body, "vrrp_mcast_group4"), last(g.body, "vrrp_mcast_group6")
	g.startDelay, g.downAfter = last(g.body, "vrrp_startup_delay"), last(g.body, "vrrp_down_timer_adverts")
	g.checksumV2 = last(g.body, "vrrp_v3_checksum_as_v2", "v3_checksum_as_v2")
	if d := last(g.body, "vrrp_notify_priority_changes"); d != nil {
		g.priorityChanges, _ = truth(d)
	}
	g.garp = defaultGARP()
	g.garp.read(c, g.body, "vrrp_")
	c.tls = last(c.top, "SSL")
}

// draftGlobals makes the tables of the daemon itself.
func (c *converter) draftGlobals() {
	g := &c.global
	if d := last(g.body, "router_id"); d != nil {
		c.draftName(d)
	} else {
		c.draft.Head(g.comments...)
	}
	if d := last(g.body, "script_user"); d != nil {
		t := c.draft.Section("director.script", d.at)
		t.Comment("", d.comments...)
		if d.arg(1) != "" && d.arg(1) != "root" {
			t.Set(d.at, "user", d.arg(1))
		}
		if d.arg(2) != "" {
			t.Set(d.at, "group", d.arg(2))
		}
	}
	c.draftSNMP()
	if d := last(g.body, "enable_dbus"); d != nil {
		t := c.draft.Section("director.dbus", d.at)
		t.Set(d.at, "enabled", true)
		if name := last(g.body, "dbus_service_name"); name != nil {
			t.Set(name.at, "name", name.arg(1))
		}
	} else if name := last(g.body, "dbus_service_name"); name != nil {
		c.report.Note(name.at, "dbus_service_name has no effect without enable_dbus")
	}
	c.draftTimeouts()
	c.draftSync(last(g.body, "lvs_sync_daemon"), "")
}

// draftName names the director after router_id.
func (c *converter) draftName(d *directive) {
	id := d.arg(1)
	if c.in.Director != "" {
		c.report.Note(d.at, "router_id: the director is called %q, as --director says", c.in.Director)
		return
	}
	name := c.name("director", id, d.at)
	t := c.draft.Section("director", d.at)
	t.Comment("", c.global.comments...)
	t.Set(d.at, "name", name)
	t.Comment("name", d.comments...)
}

func (c *converter) draftSNMP() {
	g := &c.global
	enable := last(g.body, "enable_snmp_rfc", "enable_snmp_rfcv3", "enable_snmp_rfcv2")
	socket, traps := last(g.body, "snmp_socket"), last(g.body, "enable_traps")
	if enable == nil {
		for _, d := range []*directive{socket, traps} {
			if d != nil {
				c.report.Note(d.at, "%s has no effect without enable_snmp_rfc, which holdfast calls [director.snmp]", d.name())
			}
		}
		return
	}
	t := c.draft.Section("director.snmp", enable.at)
	if socket != nil {
		t.Set(socket.at, "agentx", strings.TrimPrefix(socket.arg(1), "unix:"))
	} else {
		t.Set(enable.at, "agentx", "/var/agentx/master")
	}
	if traps == nil {
		t.Set(enable.at, "traps", false)
	}
}

func (c *converter) draftTimeouts() {
	for _, d := range all(c.global.body, "lvs_timeouts") {
		t := c.draft.Section("lvs.timeouts", d.at)
		t.Comment("", d.comments...)
		for i := 1; i+1 < len(d.args); i += 2 {
			n, ok := number(d.args[i+1], 1, 31*24*3600)
			key := d.args[i]
			switch {
			case key != "tcp" && key != "tcpfin" && key != "udp":
				c.report.Person(d.at, "lvs_timeouts: keepalived does not know %q", key)
			case !ok:
				c.report.Person(d.at, "lvs_timeouts: keepalived ignores the timeout %q", d.args[i+1])
			default:
				t.Set(d.at, key, duration(time.Duration(n)*time.Second))
			}
		}
	}
}

// draftSync makes [lvs.sync] of lvs_sync_daemon, or of lvs_sync_daemon_interface of
// an instance.
func (c *converter) draftSync(d *directive, of string) {
	if d == nil {
		return
	}
	t := c.draft.Section("lvs.sync", d.at)
	if t.Has("interface") {
		c.report.Person(d.at, "%s: there is another sync daemon already, and the kernel has one only", d.name())
		return
	}
	t.Comment("", d.comments...)
	t.Set(d.at, "interface", d.arg(1))
	args := d.args[min(2, len(d.args)):]
	keys := map[string]string{"id": "id", "maxlen": "max_len", "port": "port", "ttl": "ttl", "group": "group"}
	for len(args) > 0 {
		key := args[0]
		value := ""
		if len(args) > 1 {
			value = args[1]
		}
		n, isNumber := number(value, 0, 65535)
		switch {
		case key == "inst" && value != "":
			of = value
		case keys[key] == "group":
			t.Set(d.at, "group", value)
		case keys[key] != "" && isNumber:
			t.Set(d.at, keys[key], n)
		case keys[key] != "":
			c.report.Person(d.at, "%s: keepalived ignores %s %q", d.name(), key, value)
		case of == "": // the instance may stand there without inst
			of = key
			args = args[1:]
			continue
		default:
			c.report.Person(d.at, "%s: keepalived does not know %q", d.name(), key)
		}
		args = args[min(2, len(args)):]
	}
	c.followSync(t, d, of)
}

// followSync sets whom the sync daemon follows, and the default of the id.
func (c *converter) followSync(t *convert.Table, d *directive, of string) {
	if of == "" {
		c.report.Note(d.at, "%s: keepalived runs both daemons all the time; holdfast runs both too, and sends only while MASTER", d.name())
		return
	}
	in := c.instances[of]
	if in == nil {
		c.report.Person(d.at, "%s: there is no vrrp_instance %s", d.name(), of)
		return
	}
	if g := c.inGroup[of]; g != nil {
		t.Set(d.at, "follow", g.name)
	} else {
		t.Set(d.at, "follow", in.name)
	}
	// The global directive takes the VRID. That of an instance leaves 0, which is the
	// default of holdfast too: a daemon drops what has another id.
	if !t.Has("id") && d.name() == "lvs_sync_daemon" {
		t.Set(d.at, "id", in.vrid)
	}
}
