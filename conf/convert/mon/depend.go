package mon

import (
	"slices"
	"strings"

	"holdfast/conf/convert"
)

var (
	dependency = convert.Pattern(`[a-zA-Z0-9_.-]+:[a-zA-Z0-9_.-]+`)
	conjunct   = convert.Pattern(`^\s*(&&|\band\b)?\s*$`)
)

// A dependence is what a service needs of others.
type dependence struct {
	value
	services []string // GROUP:SERVICE; all of them are needed
	ok       bool     // it is nothing else than that
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
	d.value = v
	d.services, d.ok = services(strings.ReplaceAll(v.text, "SELF:", s.group+":"))
	return d, true
}

// services returns the services of an expression, and whether it asks for all of them.
func services(text string) (all []string, conjunction bool) {
	at := 0
	conjunction = true
	for _, m := range dependency().FindAllStringIndex(text, -1) {
		all = append(all, text[m[0]:m[1]])
		conjunction = conjunction && conjunct().MatchString(text[at:m[0]])
		at = m[1]
	}
	return all, conjunction && len(all) > 0 && strings.TrimSpace(text[at:]) == ""
}

// listed reports whether services of an expression stand side by side without an
// operator. mon cannot evaluate that.
func listed(text string) bool {
	return len(dependency().FindAllString(text, -1)) > 1 && !strings.ContainsAny(text, "&|") && !strings.Contains(text, " and ") && !strings.Contains(text, " or ")
}

// hostDepends returns, for each host of a service, the servers on which its check
// depends. mon leaves a host out of a run while one of the services has failed and
// names it.
func (c *converter) hostDepends(s *service, hosts []string) map[string][]string {
	d, any := c.dependsFor(s, "hm")
	if !any {
		return nil
	}
	depends := map[string][]string{}
	for _, name := range d.services { // whatever stands between them
		other := c.serviceNamed(name)
		if other == nil {
			continue
		}
		theirs, excluded := c.hosts(other)
		for _, host := range hosts {
			if slices.Contains(theirs, host) && !slices.Contains(excluded, host) {
				depends[host] = append(depends[host], name+"/"+host)
			}
		}
	}
	return depends
}

// silencers returns the services whose failure keeps the alerts of s quiet: what it
// depends on, and what those depend on.
func (c *converter) silencers(s *service) []string {
	var all []string
	var follow func(s *service)
	follow = func(s *service) {
		d, any := c.dependsFor(s, "a")
		if !any || !d.ok {
			return
		}
		for _, name := range d.services {
			other := c.serviceNamed(name)
			if other == nil || slices.Contains(all, name) {
				continue
			}
			all = append(all, name)
			follow(other)
		}
	}
	follow(s)
	return slices.DeleteFunc(all, func(name string) bool { return name == s.title() })
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
				c.report.Person(d.at, "there is no service %s: mon takes it for failed, so this service sends no alert or is not run", name)
			}
		}
		switch {
		case kind == "hm":
			c.once(d.at, "hostdepend: a host is left out of a run while the service that it depends on has failed for the host of the same name; mon looks for the name anywhere in the first line of that monitor")
		case listed(d.text):
			c.report.Note(d.at, "services without && between them are an error when mon evaluates them, so it acts as if they had failed; all of them were probably meant, and are in the result")
		case !d.ok:
			c.report.Person(d.at, "a dependency with anything but && between services has no counterpart: unless of [[alert]] names services of which none may fail")
		case kind == "a" && d.at == s.values["alertdepend"].at:
			c.report.Note(d.at, "alertdepend without depend keeps all alerts of mon 1.3.6 quiet, because it never evaluates it; the result has what was probably meant")
		}
	}
}
