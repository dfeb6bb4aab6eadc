package mon

import (
	"strings"

	"holdfast/conf/convert"
)

// A trapSender is a line of the trap section of auth.cf.
type trapSender struct {
	at               convert.Position
	host, user, hash string // "*": any
}

// auth reads auth.cf, which says who may use which command of mon's clients, and which
// hosts may send traps, with the hashes of their passwords.
func (c *converter) auth(f convert.File) {
	traps := false
	commands := convert.Position{}
	for i, text := range strings.Split(f.Text, "\n") {
		fields := strings.Fields(text)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		c.report.Directives++
		at := convert.Position{File: f.Name, Line: i + 1}
		switch {
		case len(fields) >= 2 && strings.HasPrefix(fields[1], "section") && (fields[0] == "trap" || fields[0] == "command"):
			traps = fields[0] == "trap"
		case traps && len(fields) != 3:
			c.report.Person(at, "mon ignores this line: a line of the trap section has a host, a user and a hash")
		case traps:
			c.senders = append(c.senders, trapSender{at, fields[0], fields[1], fields[2]})
		case commands == convert.Position{}:
			commands = at
		}
	}
	if commands != (convert.Position{}) {
		c.report.Note(commands, "command section: root may do everything, and members of write_group in [director.socket] may change things too; others may read if mode there lets them")
	}
}
