package ipvsadm

import (
	"fmt"
	"slices"
	"strings"

	"holdfast/conf/convert"
	"holdfast/lvs"
)

// A table is what the directives make of an empty IPVS table.
type table struct {
	services []*service // in the order of their first directive
	timeouts *timeouts
	daemons  []daemon
}

type service struct {
	at      convert.Position
	service lvs.Service
	servers []lvs.Server // in the order of the file
}

type timeouts struct {
	at     convert.Position
	values [3]int // tcp, tcpfin, udp in seconds; 0 keeps the kernel's
}

type daemon struct {
	at    convert.Position
	role  string // "master" or "backup"
	lines []string
	iface string
}

// apply runs the directives in order, as ipvsadm does. A directive that the
// kernel would refuse has no effect, and is reported.
func apply(directives []directive, report *convert.Report) *table {
	t := &table{}
	for _, d := range directives {
		if err := t.run(d, report); err != nil {
			report.Person(d.at, "%v", err)
		}
	}
	return t
}

func (t *table) run(d directive, report *convert.Report) error {
	verb, rest, err := d.verb()
	if err != nil {
		return err
	}
	switch verb.name {
	case "add-service", "edit-service", "delete-service":
		return t.changeService(d.at, verb.name, rest)
	case "add-server", "edit-server", "delete-server":
		return t.changeServer(verb.name, rest)
	case "clear":
		t.services = nil
	case "zero":
	case "set":
		return t.set(d.at, verb.args)
	case "start-daemon":
		return t.startDaemon(d.at, verb.args[0], rest)
	case "stop-daemon":
		t.daemons = slices.DeleteFunc(t.daemons, func(x daemon) bool { return x.role == verb.args[0] })
	default:
		report.Note(d.at, "--%s changes nothing", verb.name)
	}
	return nil
}

// verbs are the options that say what to do.
var verbs = []string{
	"add-service", "edit-service", "delete-service", "clear", "restore", "save", "list", "zero",
	"add-server", "edit-server", "delete-server", "set", "start-daemon", "stop-daemon",
}

// verb returns what a directive does, and its other options.
func (d directive) verb() (verb option, rest []option, err error) {
	for _, o := range d.options {
		switch {
		case !slices.Contains(verbs, o.name):
			rest = append(rest, o)
		case verb.name != "":
			return verb, nil, fmt.Errorf("--%s and --%s exclude each other", verb.name, o.name)
		default:
			verb = o
		}
	}
	if verb.name == "" {
		return verb, nil, fmt.Errorf("the line does not say what to do, like -A or -a")
	}
	return verb, rest, nil
}

func (t *table) find(key lvs.Key) *service {
	for _, s := range t.services {
		if s.service.Key == key {
			return s
		}
	}
	return nil
}

func (t *table) changeService(at convert.Position, verb string, options []option) error {
	want, err := parseService(options)
	if err != nil {
		return err
	}
	old := t.find(want.Key)
	switch {
	case verb == "add-service" && old != nil:
		return fmt.Errorf("the service %v exists already, since %v: ipvsadm refuses it", want.Key, old.at)
	case verb == "add-service":
		t.services = append(t.services, &service{at: at, service: want})
	case old == nil:
		return fmt.Errorf("there is no service %v: ipvsadm refuses it", want.Key)
	case verb == "edit-service":
		old.service = want
	default:
		t.services = slices.DeleteFunc(t.services, func(s *service) bool { return s == old })
	}
	return nil
}

func (t *table) changeServer(verb string, options []option) error {
	key, err := parseKey(options)
	if err != nil {
		return err
	}
	want, err := parseServer(key, options)
	if err != nil {
		return err
	}
	s := t.find(key)
	if s == nil {
		return fmt.Errorf("there is no service %v: ipvsadm refuses the server", key)
	}
	i := slices.IndexFunc(s.servers, func(r lvs.Server) bool { return r.Address == want.Address })
	switch {
	case verb == "add-server" && i >= 0:
		return fmt.Errorf("the server %v exists already: ipvsadm refuses it", want.Address)
	case verb == "add-server":
		s.servers = append(s.servers, want)
	case i < 0:
		return fmt.Errorf("there is no server %v: ipvsadm refuses it", want.Address)
	case verb == "edit-server":
		s.servers[i] = want
	default:
		s.servers = slices.Delete(s.servers, i, i+1)
	}
	return nil
}

func (t *table) set(at convert.Position, args []string) error {
	x := &timeouts{at: at}
	for i, arg := range args {
		n, err := number(arg, 1<<31-1)
		if err != nil {
			return fmt.Errorf("--set: %w", err)
		}
		x.values[i] = n
	}
	if old := t.timeouts; old != nil { // 0 keeps what was set before
		for i := range x.values {
			if x.values[i] == 0 {
				x.values[i] = old.values[i]
			}
		}
	}
	t.timeouts = x
	return nil
}

// syncKeys are the keys of [lvs.sync] for options of --start-daemon.
var syncKeys = map[string]string{
	"syncid": "id", "sync-maxlen": "max_len", "mcast-port": "port", "mcast-ttl": "ttl",
}

func (t *table) startDaemon(at convert.Position, role string, options []option) error {
	x := daemon{at: at, role: role}
	if role != "master" && role != "backup" {
		return fmt.Errorf("--start-daemon takes master or backup, not %q", role)
	}
	for _, o := range options {
		switch key := syncKeys[o.name]; {
		case o.name == "mcast-interface":
			x.iface = o.args[0]
			x.lines = append(x.lines, "interface = "+quote(o.args[0]))
		case o.name == "mcast-group":
			x.lines = append(x.lines, "group = "+quote(o.args[0]))
		case key != "":
			n, err := number(o.args[0], 1<<31-1)
			if err != nil {
				return fmt.Errorf("--%s: %w", o.name, err)
			}
			x.lines = append(x.lines, fmt.Sprintf("%s = %d", key, n))
		default:
			return fmt.Errorf("--%s does not belong to --start-daemon", o.name)
		}
	}
	if x.iface == "" {
		return fmt.Errorf("the sync daemon needs --mcast-interface")
	}
	slices.Sort(x.lines)
	t.daemons = append(t.daemons, x)
	return nil
}

// quote returns s as a TOML string. What is not printable ASCII was refused
// before it came here.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
