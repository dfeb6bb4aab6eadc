package conf

import "holdfast/vrrp"

// preemptCommand is a command that gets no arguments of an event.
var preemptCommand = codec[Command]{
	decode: func(v value, fail func(value, string)) (Command, bool) {
		c, ok := command.decode(v, fail)
		if ok && c.OwnArguments {
			fail(v, "arguments is not allowed here")
			ok = false
		}
		return c, ok
	},
	encode: command.encode,
}

// checkPreemptCommands refuses a preempt_command that would never run, and one of an
// instance that moves with a group.
func (c *Config) checkPreemptCommands(s sections) {
	home := map[string]int{}
	for i := range c.Groups {
		for _, member := range c.Groups[i].Members {
			home[member] = i
		}
	}
	preempting := map[int]bool{}
	for i, t := range s.vrrp {
		in := &c.VRRP[i]
		group, grouped := home[in.Name]
		preempting[group] = preempting[group] || grouped && in.Preempt && in.Priority != vrrp.PriorityOwner
		switch {
		case len(in.PreemptCommand.Argv) == 0:
		case grouped:
			t.failf("preempt_command", "the instance moves with group %s: write it in [[group]]", c.Groups[group].Name)
		case !in.Preempt:
			t.failf("preempt_command", "has no effect with preempt = false")
		case in.Priority == vrrp.PriorityOwner:
			t.failf("preempt_command", "has no effect with priority 255: the owner of the addresses always preempts")
		}
	}
	for i, t := range s.groups {
		if len(c.Groups[i].PreemptCommand.Argv) > 0 && !preempting[i] {
			t.failf("preempt_command", "has no effect, because no member preempts")
		}
	}
}
