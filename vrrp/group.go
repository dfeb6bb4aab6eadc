package vrrp

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// WholeGroup is the Member of an action that is about the group itself.
const WholeGroup = -1

// groupFault is the key of the fault that a member has because of another
// member.
const groupFault = "group"

// A MemberAction is an Action of one member, or a Transition of the
// [WholeGroup].
type MemberAction struct {
	Member int
	Action
}

// A Group is one or more machines that are MASTER together or not at all. A
// VIP outside and a DIP inside, for instance, are of no use apart.
//
//   - It takes over when every member is ready to, and all members claim at once.
//   - A member that ceases to be MASTER takes the other members along.
//   - A fault of one member is a fault of all.
//   - Between equal priorities, the member with the lowest VRID decides for all.
//   - When the MASTER sends priority 0 to one member, the timers of all members
//     are shortened. The other director's members move together too, and its
//     last advert may be lost on a dead link.
//
// A group that is MASTER may have a member that is not, which came with
// [Regroup]. That member takes over by itself when it is ready, because no
// other router serves its addresses. If another router does, the other
// members follow it.
type Group struct {
	name    string
	members []*Machine
	state   State
	since   time.Time
	mover   int // the member that got the last event
	out     []MemberAction
}

// NewGroup returns a group of new machines, one for each configuration. A
// lone machine is a group of one without a name, which reports no transitions
// of its own.
func NewGroup(name string, cfgs ...Config) *Group {
	machines := make([]*Machine, len(cfgs))
	for i, cfg := range cfgs {
		machines[i] = NewMachine(cfg)
	}
	return Regroup(name, nil, machines...)
}

// Regroup makes a group of existing machines: new ones, or members of other
// groups, which must not be used any more. The group continues in the state
// of former, which is one of those groups, or starts in INIT if former is
// nil. [Group.Settle] must be called next.
func Regroup(name string, former *Group, machines ...*Machine) *Group {
	g := &Group{name: name, members: machines, out: make([]MemberAction, 0, usualActions*len(machines))}
	if former != nil {
		g.state, g.since = former.state, former.since
	}
	for _, m := range machines {
		m.grouped, m.leads = len(machines) > 1, false
	}
	slices.MinFunc(machines, byVRID).leads = true
	return g
}

// Settle applies the consequences of a Regroup: members share the faults of
// their new fellow members, and wait for them to take over.
func (g *Group) Settle(now time.Time) []MemberAction {
	g.out = emptied(g.out, usualActions*len(g.members))
	g.mover = 0
	g.shareFaults(now)
	g.takeOverTogether(now)
	g.settle(now)
	return g.out
}

// byVRID orders machines in the same way on every director.
func byVRID(a, b *Machine) int {
	return cmp.Or(cmp.Compare(a.cfg.VRID, b.cfg.VRID), cmp.Compare(a.cfg.Family, b.cfg.Family))
}

// Name returns the group's name.
func (g *Group) Name() string { return g.name }

// Len returns the number of members.
func (g *Group) Len() int { return len(g.members) }

// Member returns member i, for reading only.
func (g *Group) Member(i int) *Machine { return g.members[i] }

// State returns MASTER when every member is MASTER, FAULT when at least one
// is in FAULT, INIT when all are in INIT, and BACKUP when all are BACKUP.
// While members change one after the other, it stays what it was.
func (g *Group) State() State { return g.state }

// Since returns the time of the last change of State.
func (g *Group) Since() time.Time { return g.since }

// Deadline returns when Elapse must be called: the earliest deadline of the
// members. The zero time means never.
func (g *Group) Deadline() time.Time {
	var d time.Time
	for _, m := range g.members {
		d = earliest(d, m.Deadline())
	}
	return d
}

// Step gives member i an event. The actions may be other members' too. They
// are valid until the next call.
func (g *Group) Step(now time.Time, i int, ev Event) []MemberAction {
	g.out = emptied(g.out, usualActions*len(g.members))
	g.mover = i
	g.step(now, i, ev)
	if _, resumed := ev.(Resume); resumed {
		g.state, g.since = g.fold(), now
	}
	g.settle(now)
	return g.out
}

// Elapse handles the deadlines that have passed. The actions are valid until
// the next call.
func (g *Group) Elapse(now time.Time) []MemberAction {
	g.out = emptied(g.out, usualActions*len(g.members))
	for i, m := range g.members {
		if due(m.Deadline(), now) {
			g.mover = i
			g.step(now, i, Elapsed{})
		}
	}
	g.settle(now)
	return g.out
}

// step gives one member an event, and its fellow members what follows from it
// at once.
func (g *Group) step(now time.Time, i int, ev Event) {
	m := g.members[i]
	wasActive, wasMaster := m.active(), m.state == Master
	for _, a := range m.step(now, ev) {
		g.out = append(g.out, MemberAction{i, a})
	}
	if len(g.members) == 1 {
		return
	}
	if r, ok := ev.(*Received); ok && !r.Advert.Backup && r.Advert.Priority == PriorityStop && m.state == Backup && m.gaveUp == r.Source {
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

// yieldsTo reports whether an event is an advert of a router that the
// machine, a BACKUP, follows as MASTER.
func (m *Machine) yieldsTo(ev Event) bool {
	r, ok := ev.(*Received)
	return ok && !r.Advert.Backup && r.Advert.Priority != PriorityStop && m.accepts(r)
}

// staysLocal reports whether the other members need not follow what an event
// did to a member. Either every member gets the event, or the member is about
// to leave.
func staysLocal(ev Event) bool {
	switch ev.(type) {
	case Stop, Yield, Leave:
		return true
	}
	return false
}

// active reports whether the machine is MASTER or claims its addresses.
func (m *Machine) active() bool { return m.state == Master || m.hold == claiming }

// settle makes the members agree: it shares faults, lets them take over
// together, and updates the group's own state.
func (g *Group) settle(now time.Time) {
	if len(g.members) > 1 {
		g.shareFaults(now)
		g.takeOverTogether(now)
	}
	state := g.fold()
	if g.since.IsZero() {
		g.since = now
	}
	if state == g.state {
		return
	}
	a := Action{Verb: Transition, From: g.state, To: state, Why: g.why()}
	g.state, g.since = state, now
	if g.name != "" {
		g.out = append(g.out, MemberAction{WholeGroup, a})
	}
}

// shareFaults raises the group fault in every member while another one has a
// fault of its own.
func (g *Group) shareFaults(now time.Time) {
	for i, m := range g.members {
		shared, f, fellow := m.fault(groupFault), (*FaultReason)(nil), ""
		for _, other := range g.members {
			if own := other.ownFault(); other != m && own != nil && (f == nil || f.Pending && !own.Pending) {
				f, fellow = own, other.cfg.Name
			}
		}
		switch {
		case f != nil && (shared == nil || shared.Pending && !f.Pending):
			g.step(now, i, Faulted{Key: groupFault, Problem: fellow + ": " + f.Problem, Pending: f.Pending})
		case f == nil && shared != nil:
			g.step(now, i, Recovered{Key: groupFault})
		}
	}
}

// ownFault returns the worst fault that does not come from another member.
func (m *Machine) ownFault() *FaultReason {
	return m.worstFault(func(f *FaultReason) bool { return f.Key != groupFault })
}

// takeOverTogether promotes the members when all of them are ready.
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

// fold returns the state that the members' states add up to: see State.
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

// why returns the reason of a transition of the group. It is that of the
// member that got the event or, if another member changed after it, of that
// one.
func (g *Group) why() string {
	if i := slices.IndexFunc(g.members, func(m *Machine) bool { return m.ownFault() != nil }); i >= 0 && g.fold() == Fault {
		return g.members[i].cfg.Name + ": " + g.members[i].ownFault().Problem
	}
	last := g.members[g.mover]
	for _, m := range g.members {
		if m.since.After(last.since) {
			last = m
		}
	}
	return last.cfg.Name + ": " + last.why
}

// others calls do for every member but i.
func (g *Group) others(i int, do func(j int)) {
	for j := range g.members {
		if j != i {
			do(j)
		}
	}
}
