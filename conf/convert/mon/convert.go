package mon

import (
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"holdfast/conf/convert"
)

// Convert converts mon.cf. Other files may be auth.cf.
func Convert(in convert.Input, report *convert.Report) *convert.Result {
	c := &converter{in: in, report: report, globals: newGlobals(), groups: map[string]*hostgroup{}, watches: map[string]bool{}, said: map[string]bool{}}
	read := false
	for _, f := range in.Files {
		at := convert.Position{File: f.Name, Line: 1}
		switch {
		case isAuth(f):
			c.auth(f)
		case needsM4(f):
			report.Person(at, "this file is for m4, and convert runs no programs: convert the output of \"m4 %s\"", path.Base(f.Name))
		case !isMon(f):
			report.Person(at, "this is no mon.cf: it watches nothing")
		default:
			read = true
			(&reader{converter: c}).file(f)
		}
	}
	if !read {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(c.groups)) {
		if !c.watches[name] {
			report.Note(c.groups[name].at, "nothing watches the hostgroup %s", name)
		}
	}
	c.traps()
	for _, s := range c.services {
		c.service(s)
	}
	return c.draft.Finish(report)
}

// isMon reports whether a file is a mon.cf.
func isMon(f convert.File) bool { return convert.Guess([]convert.File{f}) == "mon" }

// A converter converts the files of one mon.
type converter struct {
	in       convert.Input
	report   *convert.Report
	draft    convert.Draft
	globals  globals
	groups   map[string]*hostgroup
	watches  map[string]bool
	services []*service
	said     map[string]bool
	senders  []trapSender
}

// once adds a note once.
func (c *converter) once(at convert.Position, text string) {
	if !c.said[text] {
		c.said[text] = true
		c.report.Note(at, "%s", text)
	}
}

// service writes a [[service]] and its alerts, unless mon never runs its monitor.
func (c *converter) service(s *service) {
	if takesTraps(s) {
		c.trapService(s)
		return
	}
	every, ok := c.runs(s)
	if !ok {
		return
	}
	monitor := s.values["monitor"]
	hosts, excluded := c.hosts(s)
	command, alone := c.monitor(monitor)
	if command == nil {
		return
	}
	if len(hosts) == len(excluded) { // nobody is asked
		if _, empty := s.has("allow_empty_group"); !alone && !empty {
			c.report.Note(s.at, "service %s has no hosts: mon does not run its monitor, so it is not in the result", s.title())
			return
		}
		hosts, excluded, alone = []string{s.group}, nil, true
	}
	if _, never, _ := c.quietWhen(s, "m"); never {
		c.sayDepends(s)
		return
	}
	t := c.serviceTable(s, hosts)
	check := c.monitorCheck(s, t, excluded)
	check.Set(monitor.at, "type", "external")
	check.Set(monitor.at, "command", command)
	check.Set(monitor.at, "style", "mon")
	if alone {
		check.Set(monitor.at, "host", "none")
	} else {
		check.Set(monitor.at, "host", "name")
		check.Set(monitor.at, "together", true)
	}
	c.pace(s, check, s.values["interval"].at, every)
	if env := c.environment(s); len(env) > 0 {
		check.Set(s.at, "environment", env)
	}
	c.servers(s, t, hosts, excluded)
	c.sayDepends(s)
	c.alerts(s)
}

// serviceTable writes the [[service]] of a service, without its check and servers.
func (c *converter) serviceTable(s *service, hosts []string) *convert.Table {
	t := c.draft.List("service", s.at)
	t.Comment("", s.comments...)
	t.Set(s.at, "name", s.title())
	t.Set(s.at, "active", "never")
	if len(hosts) > 1 {
		t.Set(s.at, "quorum", len(hosts)) // any host that fails is a failure of the service
	}
	return t
}

// monitorCheck returns the table of the check that runs the monitor. A service that also
// waits for traps has a second check.
func (c *converter) monitorCheck(s *service, t *convert.Table, excluded []string) *convert.Table {
	at := s.values["monitor"].at
	silence, waits := s.has("traptimeout")
	if !waits {
		if v, ok := s.has("trapduration"); ok {
			c.once(v.at, "trapduration without traptimeout: traps for a service with a monitor are refused; make a service of its own for them")
		}
		return t.Sub("check", at)
	}
	if _, depends := c.dependsFor(s, "hm"); depends || len(excluded) > 0 {
		c.report.Person(silence.at, "traptimeout: a check for traps beside a monitor with exclude_hosts or hostdepend is left out; make a service of its own for the traps")
		return t.Sub("check", at)
	}
	check := t.List("check", at)
	check.Set(at, "id", "monitor")
	traps := t.List("check", silence.at)
	traps.Set(silence.at, "id", "traps")
	c.trapCheck(s, traps)
	if _, ok := s.has("trapduration"); !ok { // the next good run of the monitor ends what a trap has said
		traps.Set(silence.at, "lasts", durationText(s.every()))
	}
	return check
}

func (s *service) every() time.Duration {
	d, _ := duration(s.values["interval"].text)
	return max(d, time.Second)
}

// runs returns how often mon runs the monitor of a service. ok is false, and the report
// says why, if it never does.
func (c *converter) runs(s *service) (every time.Duration, ok bool) {
	interval := s.values["interval"]
	if every, ok = duration(interval.text); !ok {
		c.broken(interval.at, "interval needs a number with s, m, h or d, and no comment behind it")
	}
	return every, ok
}

// servers writes the [[service.server]] of a service.
func (c *converter) servers(s *service, t *convert.Table, hosts, excluded []string) {
	depends, _ := c.dependsFor(s, "hm")
	on := c.hostDepends(s, hosts)
	for _, host := range hosts {
		server := t.List("server", c.groups[s.group].at)
		server.Set(c.groups[s.group].at, "name", host)
		if len(on[host]) > 0 {
			server.Sub("check", depends.at).Set(depends.at, "depends", conditions(slices.Concat(c.monitorDepends(s), on[host])))
		}
		if slices.Contains(excluded, host) {
			server.Sub("check", s.values["exclude_hosts"].at).Set(s.values["exclude_hosts"].at, "type", "none")
		}
	}
}

// broken reports what mon does not start with.
func (c *converter) broken(at convert.Position, format string, args ...any) {
	c.report.Person(at, "mon does not start: "+format, args...)
}

// pace writes when the check is made.
func (c *converter) pace(s *service, check *convert.Table, at convert.Position, every time.Duration) {
	const longest = time.Hour
	check.Set(at, "interval", durationText(every))
	check.Set(at, "timeout", durationText(min(every, longest)))
	check.Set(at, "fall", 1)
	c.once(at, "mon waits for a monitor as long as it takes; holdfast ends one that runs for the whole interval, and takes that for a failure")
	if v, ok := s.has("failure_interval"); ok {
		if d, ok := duration(v.text); ok {
			check.Set(v.at, "down_interval", durationText(d))
		} else {
			c.broken(v.at, "failure_interval needs a number with s, m, h or d, and no comment behind it")
		}
	}
	var outside []string
	for _, text := range []string{c.globals.excludePeriod, s.values["exclude_period"].text} {
		if text != "" {
			outside = append(outside, text)
		}
	}
	if len(outside) > 0 {
		check.Set(s.values["exclude_period"].at, "period", "not "+strings.Join(outside, ", "))
	}
	if on := c.monitorDepends(s); len(on) > 0 {
		d, _ := c.dependsFor(s, "m")
		check.Set(d.at, "depends", conditions(on))
	}
}

// monitorDepends returns the servers without which the monitor of a service is not run:
// while all of one of the lists are down.
func (c *converter) monitorDepends(s *service) [][]string {
	var all [][]string
	when, _, _ := c.quietWhen(s, "m")
	for _, names := range when {
		if slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "!") }) {
			d, _ := c.dependsFor(s, "m")
			c.report.Person(d.at, "the monitor is not run while a service is well: a check of holdfast cannot depend on that")
			return nil
		}
		all = append(all, c.serversOf(names)...)
	}
	return all
}

// serversOf returns the lists that have a server of each service: a service has failed
// when one of its servers is down.
func (c *converter) serversOf(services []string) [][]string {
	all := [][]string{nil}
	for _, name := range services {
		hosts, excluded := c.hosts(c.serviceNamed(name))
		if len(hosts) == len(excluded) {
			hosts = []string{c.serviceNamed(name).group}
		}
		var next [][]string
		for _, list := range all {
			for _, host := range hosts {
				next = append(next, append(slices.Clone(list), name+"/"+host))
			}
		}
		all = next
	}
	return all
}

// hosts returns the hosts of a service, and those of them that its monitor is not
// asked for.
func (c *converter) hosts(s *service) (hosts, excluded []string) {
	g := c.groups[s.group]
	out := strings.Fields(s.values["exclude_hosts"].text)
	for _, host := range g.hosts {
		if strings.HasPrefix(host, "*") {
			c.once(g.at, "a host with * is disabled, and not in the result")
			continue
		}
		if slices.Contains(hosts, host) {
			c.once(g.at, "the hostgroup "+s.group+" has "+host+" twice; the result has it once")
			continue
		}
		hosts = append(hosts, host)
		if slices.Contains(out, host) {
			excluded = append(excluded, host)
		}
	}
	return hosts, excluded
}

// monitor returns the program of a monitor with its arguments, and whether ";;" has it
// run without hosts. It returns nil if mon cannot run it.
func (c *converter) monitor(v value) (command []string, alone bool) {
	text := strings.TrimSpace(v.text)
	text, alone = strings.CutSuffix(text, ";;")
	argv, ok := words(text)
	if !ok || len(argv) == 0 {
		c.report.Person(v.at, "a quote has no end: mon cannot run this monitor")
		return nil, alone
	}
	argv[0] = c.program(v.at, c.globals.monitors, argv[0])
	c.once(v.at, "arguments of monitors and alerts stand in the result as they do in mon.cf: keep the file to yourself if they have passwords")
	return argv, alone
}

// program returns the path of a monitor or an alert: that of the first folder that has
// it here, or else of the first that is not for local programs.
func (c *converter) program(at convert.Position, folders, name string) string {
	if path.IsAbs(name) {
		c.report.Note(at, "mon looks for monitors and alerts in its folders only, and does not find one by its whole path")
		return name
	}
	list := strings.Split(folders, ":")
	likely := path.Join(c.below(list[0]), name)
	for i, folder := range list {
		file := path.Join(c.below(folder), name)
		if c.in.Glob != nil {
			if found, err := c.in.Glob(file); err == nil && len(found) > 0 {
				return file
			}
		}
		if i > 0 && strings.HasPrefix(likely, "/usr/local/") {
			likely = file
		}
	}
	c.once(at, "some monitors or alerts are not on this machine: their paths are the likely ones")
	return likely
}

// environment returns what a service gives its monitor and its alerts.
func (c *converter) environment(s *service) []string {
	env := slices.Clone(c.globals.folders)
	if v, ok := s.has("description"); ok {
		env = append(env, "MON_DESCRIPTION="+v.text)
	}
	return append(env, s.environment...)
}
