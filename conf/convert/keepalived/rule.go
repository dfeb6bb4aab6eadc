package keepalived

import (
	"slices"
	"strings"

	"holdfast/conf/convert"
)

// ruleArguments are the words of a rule that have one argument each.
var ruleArguments = map[string]argument{
	"from": {"from", textual}, "to": {"to", textual}, "table": {"table", numeric}, "lookup": {"table", numeric},
	"iif": {"interface", textual}, "dev": {"interface", textual}, "oif": {"output", textual}, "tos": {"tos", numeric}, "dsfield": {"tos", numeric},
	"fwmark": {"mark", numeric}, "preference": {"priority", numeric}, "priority": {"priority", numeric}, "order": {"priority", numeric}, "pref": {"priority", numeric},
	"realms": {"realm", numeric}, "realm": {"realm", numeric}, "uidrange": {"uid_range", textual},
	"ip_proto": {"ip_protocol", textual}, "ipproto": {"ip_protocol", textual}, "sport": {"source_port", numeric}, "dport": {"destination_port", numeric},
	"tun_id": {"tunnel_id", numeric}, "suppress_prefixlength": {"suppress_prefix_length", numeric}, "suppress_ifgroup": {"suppress_group", numeric},
}

var ruleActions = []string{"blackhole", "unreachable", "prohibit", "nop"}

// draftRules makes a [[vrrp.rule]] of each line of virtual_rules.
func (c *converter) draftRules(t *convert.Table, in *instance) {
	for _, d := range all(in.body, "virtual_rules") {
		for _, line := range d.body {
			rule := t.List("rule", line.at)
			rule.Comment("", line.comments...)
			c.readRule(rule, in, line)
		}
	}
}

func (c *converter) readRule(rule *convert.Table, in *instance, line *directive) {
	args := line.args
	for len(args) > 0 {
		word, value := args[0], ""
		if len(args) > 1 {
			value = args[1]
		}
		taken := 1
		switch a, known := ruleArguments[word]; {
		case known:
			taken = 2
			c.setRule(rule, in, line, a, value)
		case word == "goto":
			taken = 2
			rule.Set(line.at, "action", "goto")
			rule.Set(line.at, "goto", plain(value))
		case slices.Contains(ruleActions, word):
			rule.Set(line.at, "action", word)
		case word == "not":
			rule.Set(line.at, "invert", true)
		case word == "l3mdev":
			rule.Set(line.at, "l3mdev", true)
		case word == "inet6":
			if !rule.Has("from") && !rule.Has("to") {
				rule.Set(line.at, "family", "ipv6")
			}
		case word == "inet":
		case word == "no_track":
			c.report.Note(line.at, "no_track: holdfast puts back a rule that somebody deletes")
		case word == "protocol" || word == "proto":
			taken = 2
			c.report.Note(line.at, "protocol %s: holdfast marks its rules with protocol 112, to know them again", value)
		case word == "track_group":
			taken = 2
			c.report.Person(line.at, "track_group %s: holdfast puts back a rule that somebody deletes", value)
		default:
			c.report.Person(line.at, "keepalived does not understand %q in a rule and ignores it", word)
		}
		args = args[min(taken, len(args)):]
	}
	if !rule.Has("priority") {
		c.report.Note(line.at, "the rule has no preference: keepalived and holdfast each choose one; give it one if the order of rules matters")
	}
}

func (c *converter) setRule(rule *convert.Table, in *instance, line *directive, a argument, value string) {
	switch {
	case (a.key == "from" || a.key == "to") && value != "all" && value != "default":
		rule.Set(line.at, a.key, network(value))
	case a.key == "interface" || a.key == "output":
		rule.Set(line.at, a.key, c.device(in, value))
	case a.key == "ip_protocol":
		rule.Set(line.at, a.key, plain(strings.ToLower(value)))
	case a.kind == numeric:
		rule.Set(line.at, a.key, numeral(value))
	default:
		rule.Set(line.at, a.key, value)
	}
}
