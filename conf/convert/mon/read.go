package mon

import (
	"slices"
	"strings"

	"holdfast/conf/convert"
)

// A service is one service of a watch.
type service struct {
	at          convert.Position
	group, name string
	values      map[string]value // of its directives
	environment []string         // NAME=value
	comments    []string
	periods     []*period
}

// title is the name of the service in holdfast, and in mon's dependencies.
func (s *service) title() string { return s.group + ":" + s.name }

// A value is the argument of a directive.
type value struct {
	at   convert.Position
	text string
}

// A period is one period of a service.
type period struct {
	at          convert.Position
	label, when string
	values      map[string]value
	programs    map[string][]value // alert, upalert, startupalert and ackalert
}

// A hostgroup is a list of hosts; those with * are disabled.
type hostgroup struct {
	at    convert.Position
	hosts []string
}

// A reader reads the lines of mon.cf. It knows in which definition the next one is.
type reader struct {
	*converter
	in      string // hostgroup, alias, view, watch or ""
	group   string // of the open hostgroup or watch
	service *service
	period  *period
	// comments are those above the open watch, for its first service.
	comments []string
	skipped  bool // lines outside of a definition were reported
}

var (
	globalLine    = convert.Pattern(`^(\w+)\s*=\s*(.*)$`)
	hostgroupLine = convert.Pattern(`^hostgroup\s+([a-zA-Z0-9_.-]+)\s*(.*)`)
	aliasLine     = convert.Pattern(`^alias\s+[a-zA-Z0-9_.-]+\s*$`)
	viewLine      = convert.Pattern(`^view\s+[a-zA-Z0-9_.-]+\s+.*$`)
	watchLine     = convert.Pattern(`^watch\s+([a-zA-Z0-9_.-]+)\s*`)
	envLine       = convert.Pattern(`^([A-Z_][A-Z0-9_]*)=(.*)`)
	otherLine     = convert.Pattern(`^(\w+)\s*(.*)$`)
	tagText       = convert.Pattern(`^[a-zA-Z0-9_.-]+$`)
	labelText     = convert.Pattern(`(?i)^([a-z_]\w*)\s*:\s*(.*)$`)
)

// file reads mon.cf.
func (r *reader) file(f convert.File) {
	for i, l := range lines(f) {
		if i == 0 && l.text == "" {
			r.draft.Head(l.comments...)
		}
		if l.text != "" {
			r.report.Directives++
		}
		r.line(l)
	}
}

// line reads one line, in the order of mon's own parser.
func (r *reader) line(l line) {
	if m := globalLine().FindStringSubmatch(l.text); m != nil && r.in != "watch" {
		r.global(l.at, m[1], m[2])
		return
	}
	switch {
	case l.text == "":
		r.in, r.group, r.service, r.period = "", "", nil, nil
	case r.begins(l):
	case r.in == "hostgroup":
		r.groups[r.group].hosts = append(r.groups[r.group].hosts, strings.Fields(l.text)...)
	case r.in == "alias" || r.in == "view":
	case r.in == "watch":
		r.watched(l)
	case !r.skipped:
		r.skipped = true
		r.report.Person(l.at, "mon ignores this line and those below it up to the next definition: it stands outside of every definition, because an empty line ends one")
	}
	if r.in != "" {
		r.skipped = false
	}
}

// begins reads a line that begins a definition. Inside a hostgroup only another
// hostgroup does, because mon takes any other line for hosts.
func (r *reader) begins(l line) bool {
	if m := hostgroupLine().FindStringSubmatch(l.text); m != nil {
		r.in, r.group, r.service, r.period = "hostgroup", m[1], nil, nil
		if r.groups[r.group] != nil {
			r.report.Note(l.at, "this hostgroup replaces the one at %v", r.groups[r.group].at)
		}
		r.groups[r.group] = &hostgroup{l.at, strings.Fields(m[2])}
		return true
	}
	if r.in == "hostgroup" {
		if strings.HasPrefix(l.text, "watch ") {
			r.report.Person(l.at, "mon takes this line for hosts of the hostgroup above it, because no empty line ends that")
		}
		return false
	}
	switch m := watchLine().FindStringSubmatch(l.text); {
	case aliasLine().MatchString(l.text):
		r.in = "alias"
		r.report.Note(l.at, "alias: it is for mon's clients; holdfast shows names as they are")
	case r.in == "alias":
		return false
	case viewLine().MatchString(l.text):
		r.in = "view"
		r.report.Note(l.at, "view: it is for mon's clients; \"holdfast status\" shows everything")
	case r.in == "view":
		return false
	case m != nil:
		r.watch(l.at, m[1])
		r.comments = l.comments
	default:
		return false
	}
	return true
}

func (r *reader) watch(at convert.Position, group string) {
	r.in, r.group, r.service, r.period = "watch", group, nil, nil
	if r.groups[group] == nil {
		r.groups[group] = &hostgroup{at, []string{group}}
		r.report.Note(at, "there is no hostgroup %s above: mon takes %s for a host", group, group)
	}
	if slices.ContainsFunc(r.services, func(s *service) bool { return s.group == group }) {
		r.broken(at, "watch %s is there already", group)
	}
	r.watches[group] = true
}

// watched reads a line of a watch.
func (r *reader) watched(l line) {
	if m := envLine().FindStringSubmatch(l.text); m != nil {
		if r.service == nil {
			r.broken(l.at, "a variable of the environment must stand below a service")
			return
		}
		r.service.environment = append(r.service.environment, m[1]+"="+m[2])
		return
	}
	m := otherLine().FindStringSubmatch(l.text)
	switch {
	case m == nil:
		r.broken(l.at, "this is no directive")
	case m[1] == "service":
		r.comments = append(r.comments, l.comments...)
		r.begin(l.at, m[2])
	case r.service == nil:
		r.broken(l.at, "%s must stand below a service", known(m[1]))
	case m[1] == "period":
		r.beginPeriod(l.at, m[2])
	case r.period != nil:
		r.inPeriod(l.at, m[1], m[2])
	default:
		r.inService(l.at, m[1], m[2])
	}
}

// known returns a word of a file if it is a directive. Any other may be a secret.
func known(word string) string {
	if serviceDirectives[word] != nil || periodDirectives[word] != nil || word == "period" {
		return word
	}
	return "this line"
}

func (r *reader) begin(at convert.Position, name string) {
	if !tagText().MatchString(name) {
		r.broken(at, "the name of a service has letters, digits and _.- only")
		name = "service-" + strings.Trim(strings.Map(func(c rune) rune {
			if tagText().MatchString(string(c)) {
				return c
			}
			return '-'
		}, name), "-")
	}
	r.service, r.period = &service{at: at, group: r.group, name: name, values: map[string]value{}, comments: r.comments}, nil
	r.comments = nil
	if slices.ContainsFunc(r.services, func(s *service) bool { return s.title() == r.service.title() }) {
		r.broken(at, "service %s is there already", name)
		return
	}
	r.services = append(r.services, r.service)
}

func (r *reader) beginPeriod(at convert.Position, text string) {
	p := &period{at: at, when: text, label: text, values: map[string]value{}, programs: map[string][]value{}}
	if m := labelText().FindStringSubmatch(text); m != nil {
		p.label, p.when = m[1], m[2]
	}
	if slices.ContainsFunc(r.service.periods, func(o *period) bool { return o.label == p.label }) {
		r.broken(at, "the service has this period already: give one of them a label, like \"period LABEL: wd {Mon-Fri}\"")
	}
	r.period = p
	r.service.periods = append(r.service.periods, p)
}
