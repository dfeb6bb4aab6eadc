package mon

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"holdfast/conf/convert"
)

var dependency = convert.Pattern(`[a-zA-Z0-9_.-]+:[a-zA-Z0-9_.-]+`)

// A dependence is what a service needs of others.
type dependence struct {
	value
	text     string   // with the group for SELF
	services []string // GROUP:SERVICE, whatever stands between them
}

// dependsFor returns what the alerts (kind a) or the monitor (kind m) of a service
// depend on, as dep_ok of mon finds it.
func (c *converter) dependsFor(s *service, kind string) (d dependence, any bool) {
	behavior := c.globals.depBehavior
	if v, ok := s.has("dep_behavior"); ok {
		behavior = v.text
	}
	v, ok := s.has("depend")
	if !ok || v.text == "" || behavior != kind {
		v, ok = s.has(map[string]string{"a": "alertdepend", "m": "monitordepend", "hm": "hostdepend"}[kind])
	}
	if !ok || v.text == "" {
		return d, false
	}
	d.value, d.text = v, strings.ReplaceAll(v.text, "SELF:", s.group+":")
	d.services = dependency().FindAllString(d.text, -1)
	return d, true
}

// errMissing says that a dependence is never met.
var errMissing = errors.New("a service that it needs does not exist")

// errDeep is what mon says of dependencies that go round, or are nested deeper than
// dep_recur_limit.
var errDeep = errors.New("the dependencies go round, or are nested too deep")

// formulaOf returns when a dependence is met: what it depends on is well, and so is what
// that depends on.
func (c *converter) formulaOf(d dependence, kind string, depth int) (formula, error) {
	if depth > c.globals.recursionLimit {
		return nil, errDeep
	}
	return parseExpression(d.text, func(name string) (formula, error) {
		s := c.serviceNamed(name)
		if s == nil {
			return constant(false), nil // it has no status, so it is not well
		}
		further, any := c.dependsFor(s, kind)
		if !any {
			return atom(name), nil
		}
		f, err := c.formulaOf(further, kind, depth+1)
		return allOf{atom(name), f}, err
	})
}

// quietWhen returns when a dependence of a service keeps its alerts (kind a) or its
// monitor (kind m) quiet: while all of one of the lists is so. A name with an exclamation
// mark before it is well, any other has failed. never means that mon has them always
// quiet; why says so.
func (c *converter) quietWhen(s *service, kind string) (when [][]string, never bool, why error) {
	d, any := c.dependsFor(s, kind)
	if !any {
		return nil, false, nil
	}
	f, err := c.formulaOf(d, kind, 0)
	if err != nil {
		return nil, !errors.Is(err, errForeign), err
	}
	for _, quiet := range f.clauses(false) {
		var list []string
		for _, name := range slices.Sorted(maps.Keys(quiet)) {
			list = append(list, map[bool]string{true: "!", false: ""}[quiet[name]]+name)
		}
		if list == nil {
			return nil, true, errMissing
		}
		when = append(when, list)
	}
	return when, false, nil
}

// hostDepends returns, for each host of a service, the servers on which its check
// depends. mon leaves a host out of a run while one of the services has failed and
// names it.
func (c *converter) hostDepends(s *service, hosts []string) map[string][][]string {
	d, any := c.dependsFor(s, "hm")
	if !any {
		return nil
	}
	depends := map[string][][]string{}
	for _, name := range d.services { // whatever stands between them
		other := c.serviceNamed(name)
		if other == nil {
			continue
		}
		theirs, excluded := c.hosts(other)
		for _, host := range hosts {
			if slices.Contains(theirs, host) && !slices.Contains(excluded, host) {
				depends[host] = append(depends[host], []string{name + "/" + host})
			}
		}
	}
	return depends
}

func (c *converter) serviceNamed(name string) *service {
	for _, s := range c.services {
		if s.title() == name {
			return s
		}
	}
	return nil
}

// sayDepends reports what of the dependencies of a service is not as it seems.
func (c *converter) sayDepends(s *service) {
	for _, kind := range []string{"a", "m", "hm"} {
		d, any := c.dependsFor(s, kind)
		if !any {
			continue
		}
		for _, name := range d.services {
			if c.serviceNamed(name) == nil {
				c.report.Person(d.at, "there is no service %s: mon takes it for failed", name)
			}
		}
		if kind == "hm" {
			c.once(d.at, "hostdepend: a host is left out of a run while the service that it depends on has failed for the host of the same name; mon looks for the name anywhere in the first line of that monitor")
			continue
		}
		what := map[string]string{"a": "calls no alert of this service, and the result has none", "m": "never runs this monitor, so the service is not in the result"}[kind]
		_, waits := c.dependsFor(s, "m")
		switch _, never, why := c.quietWhen(s, kind); {
		case kind == "a" && !c.evaluates(s) && waits:
			c.report.Person(d.at, "alertdepend has an effect beside depend only: mon 1.3.6 never evaluates it here, so the alerts do not wait for it, nor do those of the result. Write depend if that was meant, and convert again")
		case kind == "a" && !c.evaluates(s):
			c.report.Person(d.at, "alertdepend has an effect beside depend only: without it mon 1.3.6 never evaluates it, so it calls no alert of this service, and the result has none. Write depend if that was meant, and convert again")
		case never:
			c.report.Person(d.at, "mon evaluates this as an expression of Perl, and %s: so it %s. If all of the services were meant, write && between them, and convert again", why, what)
		case why != nil:
			c.report.Person(d.at, "%s: write it with unless of [[alert]], or depends of the check", why)
		}
		c.sayOverlaps(d)
	}
}

// sayOverlaps reports names of which one begins another. mon puts the state of the first
// in both.
func (c *converter) sayOverlaps(d dependence) {
	for _, short := range d.services {
		for _, long := range d.services {
			if rest, ok := strings.CutPrefix(long, short); ok && rest != "" && strings.ContainsAny(rest[:1], "-.") {
				c.report.Note(d.at, "mon confuses %s with %s, because that begins with it: the result has what was meant", long, short)
			}
		}
	}
}

// evaluates reports whether mon looks at what the alerts of a service depend on. It does
// so for depend, and not for alertdepend.
func (c *converter) evaluates(s *service) bool {
	d, any := c.dependsFor(s, "a")
	return any && d.value == s.values["depend"]
}

// alertsNever reports whether mon calls no alert of a service, because it cannot tell
// whether what that depends on is well. What it finds for the monitor counts for alerts
// too.
func (c *converter) alertsNever(s *service) bool {
	if _, any := c.dependsFor(s, "a"); !any {
		return false
	}
	if c.evaluates(s) {
		_, never, _ := c.quietWhen(s, "a")
		return never
	}
	_, waits := c.dependsFor(s, "m")
	return !waits
}
