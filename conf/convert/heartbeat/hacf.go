package heartbeat

import (
	"strconv"
	"strings"
	"time"

	"holdfast/conf/convert"
)

// A cluster is what ha.cf says.
type cluster struct {
	nodes        []string
	deadtime     time.Duration
	deadtimeAt   convert.Position
	failback     bool
	failbackAt   convert.Position
	media        []medium
	pings        []ping
	fibre        []line // hbaping
	ipfail       bool
	stonith      []line // the stonith_host, and what a file of stonith says instead
	resourcesCRM bool   // not version 1
}

// A ping is a node that is no member of the cluster, or a group of them of which one is
// enough.
type ping struct {
	at        convert.Position
	group     string // "": no group
	addresses []string
}

// trackedAt is where the first ping node stands.
func (c *cluster) trackedAt() convert.Position {
	if len(c.pings) > 0 {
		return c.pings[0].at
	}
	return c.fibre[0].at
}

// defaultDeadtime is heartbeat's own (its table of defaults, 3.0.6).
const defaultDeadtime = 30 * time.Second

// directives is what each directive of ha.cf means.
var directives = map[string]func(c *converter, l line){
	"node": func(c *converter, l line) { c.cluster.nodes = append(c.cluster.nodes, l.words[1:]...) },
	"deadtime": func(c *converter, l line) {
		if d, ok := c.duration(l); ok {
			c.cluster.deadtime, c.cluster.deadtimeAt = d, l.at
		}
	},
	"keepalive": func(c *converter, l line) {
		c.duration(l)
		c.report.Note(l.at, "the interval follows deadtime: a BACKUP of VRRP waits for three adverts that did not come, and a little")
	},
	"warntime": note("holdfast shows how late adverts are in status; it does not warn"),
	"initdead": note("a director of holdfast becomes MASTER when it has heard nobody for the time that deadtime gives; see start_delay for links that need longer"),
	"auto_failback": func(c *converter, l line) {
		c.cluster.failbackAt = l.at
		switch value := l.value(); value {
		case "on", "yes", "true", "1":
			c.cluster.failback = true
		case "off", "no", "false", "0":
			c.cluster.failback = false
		case "legacy":
			c.cluster.failback = true
			c.report.Note(l.at, "legacy is on here")
		default:
			c.report.Person(l.at, "auto_failback is on, off or legacy, not %q", value)
		}
	},
	"nice_failback": func(c *converter, l line) {
		c.cluster.failback, c.cluster.failbackAt = l.value() != "on", l.at
	},
	"bcast":   (*converter).bcast,
	"mcast":   (*converter).mcast,
	"ucast":   (*converter).ucast,
	"udpport": note("adverts are IP packets of protocol 112, without a port: let the firewall pass that protocol"),
	"serial":  (*converter).serial,
	"baud":    note("it is the speed of a serial line: pppd takes it as an argument"),
	"mcast6":  (*converter).mcast,
	"ucast6":  (*converter).ucast,
	"ping":    pingNodes,
	"ping6":   pingNodes,
	"ping_group": func(c *converter, l line) {
		if len(l.words) < 3 {
			c.report.Person(l.at, "ping_group: a name and addresses are needed")
			return
		}
		c.cluster.pings = append(c.cluster.pings, ping{l.at, l.words[1], l.words[2:]})
	},
	"hbaping": func(c *converter, l line) {
		c.cluster.fibre = append(c.cluster.fibre, l)
	},
	"respawn":      (*converter).respawn,
	"failfast":     (*converter).respawn,
	"stonith":      (*converter).stonithFile,
	"stonith_host": func(c *converter, l line) { c.cluster.stonith = append(c.cluster.stonith, l) },
	"watchdog": func(c *converter, l line) {
		t := c.draft.Section("director", l.at)
		t.Set(l.at, "watchdog", l.value())
	},
	"crm":         crm,
	"pacemaker":   crm,
	"log_badpack": note("status counts the adverts that were refused, by the reason"),
	"logfile":     note("holdfast writes its log to standard error; under systemd that is the journal"),
	"logfacility": note("holdfast writes its log to standard error; under systemd that is the journal"),
	"debugfile":   note("[director.log] has level = \"debug\""),
	"debug":       note("[director.log] has level = \"debug\""),
}

// others are directives that have nothing to say to holdfast.
var others = []string{
	"apiauth", "autojoin", "cluster", "compression", "compression_threshold", "conn_logd_time", "coredumps", "coreroot", "crm_daemon_dir",
	"crmd_spawns_pengine", "deadping", "enable_config_writes", "env", "gid", "hbgenmethod", "hopfudge", "logbacklog", "max_rexmit_delay", "memreserve",
	"msgfmt", "quorum_server", "realtime", "record_config_changes", "record_pengine_inputs", "rtprio", "syslogmsgfmt", "traditional_compression", "uid", "use_apphbd", "use_logd", "uuidfrom",
}

func init() {
	for _, name := range others {
		directives[name] = note("nothing like it is needed")
	}
}

func pingNodes(c *converter, l line) {
	for _, address := range l.words[1:] {
		c.cluster.pings = append(c.cluster.pings, ping{l.at, "", []string{address}})
	}
}

func note(text string) func(*converter, line) {
	return func(c *converter, l line) { c.report.Note(l.at, "%s: %s", l.words[0], text) }
}

func crm(c *converter, l line) {
	if value := l.value(); value == "off" || value == "no" || value == "false" || value == "0" {
		return
	}
	c.cluster.resourcesCRM = true
	c.report.Person(l.at, "%s: this cluster is managed by Pacemaker, so haresources is not read: there is nothing of version 1 to convert", l.words[0])
}

// value returns the first word behind the directive.
func (l line) value() string {
	if len(l.words) < 2 {
		return ""
	}
	return l.words[1]
}

// hacf reads one line of ha.cf.
func (c *converter) hacf(l line) {
	read := directives[l.words[0]]
	if read == nil {
		c.report.Person(l.at, "%s: heartbeat does not know it either", l.words[0])
		return
	}
	read(c, l)
}

// duration reads a time: seconds, or with the unit ms or s.
func (c *converter) duration(l line) (time.Duration, bool) {
	text := l.value()
	unit := time.Second
	if number, ok := strings.CutSuffix(text, "ms"); ok {
		text, unit = number, time.Millisecond
	} else {
		text = strings.TrimSuffix(text, "s")
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n <= 0 || n > 1e6 {
		c.report.Person(l.at, "%s: %q is no time", l.words[0], l.value())
		return 0, false
	}
	return time.Duration(n * float64(unit)), true
}
