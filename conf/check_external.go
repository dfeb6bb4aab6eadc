package conf

import (
	"fmt"
	"strings"

	"holdfast/checker/probe"
)

func visitExternal(t *table, s *probe.External, inherited probe.External) {
	command := Command{Argv: s.Command, User: s.User, Group: s.Group}
	field(t, "command", &command, untimedCommand, Command{Argv: inherited.Command, User: inherited.User, Group: inherited.Group})
	s.Command, s.User, s.Group = command.Argv, command.User, command.Group
	field(t, "style", &s.Style, externalStyle, inherited.Style)
	field(t, "weight", &s.Weight, weightFrom, inherited.Weight)
	field(t, "environment", &s.Environment, listOf(environmentVariable), inherited.Environment)
	if t.reading() || s.Style == probe.StyleMon {
		field(t, "host", &s.Host, hostAs, inherited.Host)
		field(t, "together", &s.Together, boolean, inherited.Together)
	}
}

var externalStyle = func() codec[probe.Style] {
	var options []option[probe.Style]
	for _, s := range probe.Styles() {
		options = append(options, option[probe.Style]{string(s), s})
	}
	return choice(options...)
}()

var weightFrom = choice(
	option[probe.WeightFrom]{"none", probe.WeightFromNone},
	option[probe.WeightFrom]{"exit", probe.WeightFromExit},
	option[probe.WeightFrom]{"output", probe.WeightFromOutput},
)

var hostAs = choice(
	option[probe.HostAs]{"address", probe.HostAddress},
	option[probe.HostAs]{"name", probe.HostName},
	option[probe.HostAs]{"none", probe.HostNone},
)

// environmentVariable is NAME=value.
var environmentVariable = textual("a variable like NAME=value", func(s string) (string, error) {
	name, _, ok := strings.Cut(s, "=")
	if !ok || name == "" || strings.ContainsAny(s, "\x00\n") {
		return "", fmt.Errorf("must be like NAME=value, not %s", quoteShort(s))
	}
	return s, nil
}, func(s string) string { return s })
