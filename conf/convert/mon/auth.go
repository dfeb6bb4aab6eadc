package mon

import (
	"strings"

	"holdfast/conf/convert"
)

// auth reads auth.cf, which says who may use which command of mon's clients, and which
// hosts may send traps, with passwords.
func (c *converter) auth(f convert.File) {
	traps := false
	commands, hosts := convert.Position{}, convert.Position{}
	for i, text := range strings.Split(f.Text, "\n") {
		fields := strings.Fields(text)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		c.report.Directives++
		at := convert.Position{File: f.Name, Line: i + 1}
		switch {
		case len(fields) == 2 && fields[1] == "section":
			traps = fields[0] == "trap"
		case traps && hosts == convert.Position{}:
			hosts = at
		case !traps && commands == convert.Position{}:
			commands = at
		}
	}
	if commands != (convert.Position{}) {
		c.report.Note(commands, "command section: root may do everything, and members of write_group in [director.socket] may change things too; others may read if mode there lets them")
	}
	if hosts != (convert.Position{}) {
		c.report.Person(hosts, "trap section: holdfast takes no traps, so these hosts and their passwords are not needed; let a check ask what the traps told")
	}
}
