package director

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"holdfast/cmd/internal/program"
	"holdfast/conf"
)

// askLimit is how long a preempt_command may take that has no timeout of its own, and
// askAgain how long after its end it is run once more.
const (
	askLimit = time.Minute
	askAgain = 30 * time.Second
)

// An ask is what a unit with a preempt_command does instead of preempting: its program
// has the MASTER hand over, so that what runs there is stopped before it starts here.
type ask struct {
	unit    string
	members []string
	command conf.Command
	program program.Program
	delay   time.Duration // the longest preempt_delay

	pending bool      // a MASTER of a lower priority was heard
	running bool      // the program
	end     func()    // ends it
	ends    time.Time // when it has ended at the latest, also if the former binary started it
	at      time.Time // of the next run
	problem string    // of the last run; "": none
}

// asksOf returns the asks of a configuration by their instances. Those that stay as they
// are go on.
func asksOf(c *conf.Config, former map[string]*ask) map[string]*ask {
	all := map[string]*ask{}
	add := func(unit string, command conf.Command, members []string) {
		if len(command.Argv) == 0 {
			return
		}
		a := &ask{unit: unit, members: members, command: command, program: runAs(&command, &c.Director)}
		for i := range c.VRRP {
			if slices.Contains(members, c.VRRP[i].Name) {
				a.delay = max(a.delay, c.VRRP[i].PreemptDelay)
			}
		}
		if old := former[members[0]]; old != nil && old.same(a) {
			a = old
		}
		for _, name := range members {
			all[name] = a
		}
	}
	for i := range c.VRRP {
		add(c.VRRP[i].Name, c.VRRP[i].PreemptCommand, []string{c.VRRP[i].Name})
	}
	for i := range c.Groups {
		add(c.Groups[i].Name, c.Groups[i].PreemptCommand, c.Groups[i].Members)
	}
	return all
}

// takeAsks takes over the asks of a configuration. A program of an ask that is no more is
// ended. That a MASTER is not preempted is reported once, so a new ask looks for itself.
func (p *preemption) takeAsks(c *conf.Config) {
	former := p.asks
	p.asks = asksOf(c, former)
	for name, a := range former {
		if p.asks[name] != a && a.running {
			a.end()
		}
	}
	for name, a := range p.asks {
		if end, ok := p.askedBefore[a.unit]; ok {
			a.ends = clock(end)
		}
		if p.conf != nil && former[name] != a && !a.pending && p.stillHeld(name) {
			a.expect(time.Now())
		}
	}
	p.askedBefore = nil
}

// saveAsks saves which programs run. An upgrade does not end them, and the new binary must
// not start them a second time.
func (p *preemption) saveAsks(u *upgradeState) {
	u.PreemptAsked = map[string]time.Duration{}
	for _, a := range p.asks {
		if left := time.Until(a.ends); left > 0 {
			u.PreemptAsked[a.unit] = sinceBoot() + left
		}
	}
}

// expect has the program run after the preempt_delay, but not beside one that the former
// binary started.
func (a *ask) expect(now time.Time) {
	a.pending, a.at = true, now.Add(a.delay)
	if a.at.Before(a.ends) {
		a.at = a.ends
	}
}

func (a *ask) same(b *ask) bool {
	return a.unit == b.unit && slices.Equal(a.members, b.members) && a.delay == b.delay &&
		slices.Equal(a.program.Argv, b.program.Argv) && a.program.User == b.program.User && a.program.Group == b.program.Group &&
		a.command.Timeout == b.command.Timeout
}

// heldBack notes that a virtual router has heard a MASTER that it would preempt.
func (p *preemption) heldBack(instance string) {
	if a := p.asks[instance]; a != nil && !a.pending {
		a.expect(time.Now())
		p.look()
	}
}

// askAll runs the programs whose time has come, and returns how long it is to the next.
func (p *preemption) askAll(now time.Time) (waits []time.Duration) {
	for _, name := range slices.Sorted(maps.Keys(p.asks)) {
		a := p.asks[name]
		switch {
		case name != a.members[0] || !a.pending || a.running || p.waitsForOther(a):
		case a.at.After(now):
			waits = append(waits, a.at.Sub(now))
		case !slices.ContainsFunc(a.members, p.stillHeld):
			a.pending, a.problem = false, ""
		default:
			p.ask(a)
		}
	}
	return waits
}

// waitsForOther reports whether a unit would have to wait without the program too.
func (p *preemption) waitsForOther(a *ask) bool {
	return slices.ContainsFunc(a.members, func(name string) bool { return p.notReady(name) != "" })
}

// ask runs the program of a unit.
func (p *preemption) ask(a *ask) {
	a.running = true
	p.log.Info("the MASTER is asked to hand over", "unit", a.unit, "program", a.program.Argv[0])
	env := []string{"PATH=" + program.Path, "LANG=C.UTF-8", "HOLDFAST_GROUP=" + a.unit, "HOLDFAST_DIRECTOR=" + p.conf.Director.Name}
	limit := cmp.Or(a.command.Timeout, askLimit)
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	a.end, a.ends = cancel, time.Now().Add(limit)
	p.spawn(func() {
		defer cancel()
		err := runOnce(ctx, &a.program, env)
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("timed out after %v", limit)
		}
		p.post(func() { p.asked(a, err) })
	})
}

// runOnce runs a program, unless somebody could have changed it.
func runOnce(ctx context.Context, p *program.Program, env []string) error {
	if err := p.Check(); err != nil {
		return err
	}
	var output program.Tail
	err := p.Run(ctx, env, &output)
	if line := output.LastLine(); err != nil && line != "" {
		return fmt.Errorf("%w: %s", err, line)
	}
	return err
}

// asked takes the result of a program. One that succeeded has made this director MASTER;
// if not, it is run again like one that failed.
func (p *preemption) asked(a *ask, err error) {
	a.running, a.ends, a.at, a.problem = false, time.Time{}, time.Now().Add(askAgain), ""
	if p.asks[a.members[0]] != a { // a reload has ended it
		return
	}
	if err != nil {
		a.problem = err.Error()
		p.log.Error("the MASTER could not be asked to hand over", "unit", a.unit, "program", a.program.Argv[0], "err", err)
	}
	p.look()
}

// why says what the unit waits for.
func (a *ask) why() string {
	if a.problem != "" {
		return fmt.Sprintf("its preempt_command failed, and is run again every %v: %s", askAgain, a.problem)
	}
	return "its preempt_command has the MASTER hand over"
}
