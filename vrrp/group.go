package vrrp

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// WholeGroup is the Member of an action that concerns the group itself.
const WholeGroup = -1

// groupFault is the key of the fault that a member gets from its fellows.
const groupFault = "group"

// A MemberAction is an Action of one member. The only action of the
// [WholeGroup] is Transition.
type MemberAction struct {
	Member int
	Action
}

// A Group is one or more machines that are MASTER together or not at all: the
// VIP outside and the DIP inside are of no use apart.
//
//   - It takes over when every member is ready to, and then all claim at once.
//   - A member that ceases to be MASTER takes the others along.
//   - A fault of one member is a fault of all.
//   - Among equal priorities the address of the member with the lowest VRID
//     decides for all.
//   - When the MASTER gives up in one member, the timers of all are shortened:
//     the other director's members move together as well, and a dead link on
//     one of its sides need not be waited for.
//
// A group that is MASTER may have a member that is not yet: it came with
// [Regroup]. That one takes over without the others when it is ready to, as
// nobody else serves what it has. If somebody does, the others follow it.
type Group struct {
	name    string
	members []*Machine
	state   State
	since   time.Time
	mover   int // the member that the last event was for
	out     []MemberAction
}

// NewGroup makes a group of new machines, one a configuration. A lone machine
// is a group of one without a name, which reports no transitions of its own.
func NewGroup(name string, cfgs ...Config) *Group {
	machines := make([]*Machine, len(cfgs))
	for i, cfg := range cfgs {
		machines[i] = NewMachine(cfg)
	}
	return Regroup(name, nil, machines...)
}

// Regroup makes a group of machines as they are, be they new or of other groups,
// which must not be used any more. It goes on in the state of former, one of
// these; without one its state is INIT. [Group.Settle] must follow.
func Regroup(name string, former *Group, machines ...*Machine) *Group {
	g := &Group{name: name, members: machines, out: make([]MemberAction, 0, 8*len(machines))}
	if former != nil {
		g.state, g.since = former.state, former.since
	}
	for _, m := range machines {
		m.grouped, m.leads = len(machines) > 1, false
	}
	slices.MinFunc(machines, byVRID).leads = true
	return g
}

// Settle draws the consequences of a Regroup: who has other fellow members now
// shares their faults, and waits for them or no longer does.
func (g *Group) Settle(now time.Time) []MemberAction {
	g.out = g.out[:0]
	g.mover = 0
	g.shareFaults(now)
	g.takeOverTogether(now)
	g.settle(now)
	return g.out
}

// byVRID orders machines in a way that is the same on every director.
func byVRID(a, b *Machine) int {
	return cmp.Or(cmp.Compare(a.cfg.VRID, b.cfg.VRID), cmp.Compare(a.cfg.Family, b.cfg.Family))
}

// Name returns the group's name.
func (g *Group) Name() string { return g.name }

// Len returns the number of members.
func (g *Group) Len() int { return len(g.members) }

// Member returns member i, for reading.
func (g *Group) Member(i int) *Machine { return g.members[i] }

// State returns MASTER when every member is MASTER, FAULT when one is FAULT,
// INIT when all are INIT, and BACKUP when all are. While members start, stop or
// take over one by one it stays as it was.
func (g *Group) State() State { return g.state }

// Since returns the time of the last change of State.
func (g *Group) Since() time.Time { return g.since }

// Deadline returns the earliest deadline of the members; the zero time is never.
func (g *Group) Deadline() time.Time {
	var d time.Time
	for _, m := range g.members {
		d = earliest(d, m.Deadline())
	}
	return d
}

// Step lets member i hear an event. The actions, which may be those of other
// members too, are valid until the next call.
func (g *Group) Step(now time.Time, i int, ev Event) []MemberAction {
	g.out = g.out[:0]
	g.mover = i
	g.step(now, i, ev)
	if _, resumed := ev.(Resume); resumed {
		g.state, g.since = g.fold(), now
	}
	g.settle(now)
	return g.out
}

// Elapse lets every member whose deadline has come hear of it.
func (g *Group) Elapse(now time.Time) []MemberAction {
	g.out = g.out[:0]
	for i, m := range g.members {
		if due(m.Deadline(), now) {
			g.mover = i
			g.step(now, i, Elapsed{})
		}
	}
	g.settle(now)
	return g.out
}

// step lets one member hear an event, and its fellows what follows at once.
func (g *Group) step(now time.Time, i int, ev Event) {
	m := g.members[i]
	wasActive, wasMaster := m.active(), m.state == Master
	for _, a := range m.step(now, ev) {
		g.out = append(g.out, MemberAction{i, a})
	}
	if len(g.members) == 1 {
		return
	}
	if r, ok := ev.(*Received); ok && r.Advert.Priority == PriorityStop && m.state == Backup && m.gaveUp == r.Source {
		g.others(i, func(j int) { g.step(now, j, hasten{r.Source}) })
	}
	if m.active() || m.state == Fault || staysLocal(ev) {
		return
	}
	if wasActive || m.state == Backup && m.yieldsTo(ev) {
		reason := m.why
		if m.state == Backup && !wasMaster {
			reason = fmt.Sprintf("%v is MASTER", m.peer.Address)
		}
		why := fmt.Sprintf("with %s of group %s: %s", m.cfg.Name, g.name, reason)
		g.others(i, func(j int) {
			if g.members[j].active() {
				g.step(now, j, demote{why})
			}
		})
	}
}

// yieldsTo reports whether an event is an advert of somebody whom the machine, a
// BACKUP, accepts as MASTER.
func (m *Machine) yieldsTo(ev Event) bool {
	r, ok := ev.(*Received)
	return ok && r.Advert.Priority != PriorityStop && m.accepts(r)
}

// ownAffair reports whether what a member makes of an event is not passed on:
// every member is given it, or it is about to be no member any more.
func staysLocal(ev Event) bool {
	switch ev.(type) {
	case Stop, Yield, Leave:
		return true
	}
	return false
}

// active reports whether the machine is MASTER or about to be.
func (m *Machine) active() bool { return m.state == Master || m.hold == claiming }

// settle brings what members owe each other in order: faults, the common
// takeover and the group's own state.
func (g *Group) settle(now time.Time) {
	if len(g.members) > 1 {
		g.shareFaults(now)
		g.takeOverTogether(now)
	}
	state := g.fold()
	if state == g.state {
		return
	}
	a := Action{Verb: Transition, From: g.state, To: state, Why: g.why()}
	g.state, g.since = state, now
	if g.name != "" {
		g.out = append(g.out, MemberAction{WholeGroup, a})
	}
}

// shareFaults makes every member fault while a fellow has a fault of its own.
func (g *Group) shareFaults(now time.Time) {
	for i, m := range g.members {
		fellow := slices.IndexFunc(g.members, func(f *Machine) bool { return f != m && f.ownFault() != nil })
		has := m.hasFault(groupFault)
		switch {
		case fellow >= 0 && !has:
			f := g.members[fellow]
			g.step(now, i, Faulted{Key: groupFault, Problem: fmt.Sprintf("%s: %s", f.cfg.Name, f.ownFault().Problem)})
		case fellow < 0 && has:
			g.step(now, i, Recovered{Key: groupFault})
		}
	}
}

// ownFault returns the first fault that does not come from the group.
func (m *Machine) ownFault() *FaultReason {
	for i := range m.faults {
		if m.faults[i].Key != groupFault {
			return &m.faults[i]
		}
	}
	return nil
}

func (m *Machine) hasFault(key string) bool {
	return slices.ContainsFunc(m.faults, func(f FaultReason) bool { return f.Key == key })
}

// takeOverTogether promotes the members once each of them is ready.
func (g *Group) takeOverTogether(now time.Time) {
	ready, unserved := false, true
	for _, m := range g.members {
		if !m.wants && !m.active() {
			return
		}
		ready, unserved = ready || m.wants, unserved && m.wants && m.unserved
	}
	if !ready {
		return
	}
	for i, m := range g.members {
		if m.wants {
			g.step(now, i, promote{unserved})
		}
	}
}

func (g *Group) fold() State {
	all := func(s State) bool {
		return !slices.ContainsFunc(g.members, func(m *Machine) bool { return m.state != s })
	}
	has := func(s State) bool {
		return slices.ContainsFunc(g.members, func(m *Machine) bool { return m.state == s })
	}
	switch {
	case has(Fault):
		return Fault
	case all(Master):
		return Master
	case all(Init):
		return Init
	case all(Backup):
		return Backup
	}
	return g.state
}

// why returns the reason of the member that moved the group, or, when another
// one had its change already, of the one that changed last.
func (g *Group) why() string {
	last := g.members[g.mover]
	for _, m := range g.members {
		if m.since.After(last.since) {
			last = m
		}
	}
	return last.cfg.Name + ": " + last.why
}

func (g *Group) others(i int, do func(j int)) {
	for j := range g.members {
		if j != i {
			do(j)
		}
	}
}
