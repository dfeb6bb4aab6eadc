package snmp

import (
	"slices"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/snmp/agentx"
)

const (
	// queueLen limits the number of queued traps. It has room for a thousand virtual
	// routers that become MASTER at once, and some more.
	queueLen = 4096
	// window limits the number of traps that are sent and not answered. With more,
	// we and the master agent could each wait for the other to read.
	window = 16
	// staleAfter is the age at which a trap that could not be sent is dropped. A
	// manager can read the present state instead.
	staleAfter = 5 * time.Minute
)

// A queue holds traps until the master agent has answered them. Traps that were
// sent and not answered are at the front.
type queue struct {
	waiting []trap
	dropped uint64
}

type trap struct {
	at        time.Time
	variables []agentx.Variable
	number    uint32 // of the packet that carried it; 0: not sent
}

// drop drops the n oldest traps.
func (q *queue) drop(n int) {
	q.waiting = slices.Delete(q.waiting, 0, n)
	q.dropped += uint64(n)
}

// unsend marks the sent traps as not sent.
func (q *queue) unsend() {
	for i := range q.waiting {
		q.waiting[i].number = 0
	}
}

// done removes the trap that was sent in a packet. taken says whether the master
// agent accepted it. done reports whether there was such a trap and it was accepted.
func (q *queue) done(number uint32, taken bool) bool {
	i := slices.IndexFunc(q.waiting, func(t trap) bool { return t.number == number })
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	if !taken {
		q.dropped++
	}
	return taken
}

// Handle queues the trap for an event: vrrpv3NewMaster when a virtual router becomes
// MASTER, vrrpv3ProtoError when it drops an advert. It ignores other events. Traps
// never repeat a state, not even after an upgrade or a restart of the master agent.
// A manager that missed traps reads the states from the tables (RFC 6527).
func (a *Agent) Handle(e *event.Event) {
	in := e.Instance
	switch {
	case in == nil:
	case e.Kind == event.KindInstance && e.To == event.Master:
		r := routerOf(in)
		a.trap(oidNewMaster,
			r.variable(oidOperation, columnMasterAddress, agentx.Octets(r.address(in.Source))),
			r.variable(oidStatistic, columnTakeover, agentx.Integer(takeovers[in.Takeover])))
	case e.Kind == event.KindProtocolError:
		r := routerOf(in)
		a.trap(oidProtoErr, r.variable(oidStatistic, columnLastError, agentx.Integer(protocolErrors[in.Drop])))
	}
}

// routerOf returns the key of an instance in the tables of VRRPV3-MIB (RFC 6527).
func routerOf(in *event.Instance) routerKey {
	return routerKey{IfIndex: in.IfIndex, VRID: uint8(in.VRID), IPv6: in.Family == "ipv6"}
}

func (r routerKey) variable(entry agentx.OID, column uint32, v agentx.Value) agentx.Variable {
	return agentx.Variable{Name: entry.Append(column).Append(r.index()...), Value: v}
}

// trap queues a notification. The master agent adds sysUpTime.
func (a *Agent) trap(name agentx.OID, objects ...agentx.Variable) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.opts.Traps {
		return
	}
	if over := len(a.traps.waiting) + 1 - queueLen; over > 0 {
		a.traps.drop(over)
	}
	a.traps.waiting = append(a.traps.waiting, trap{
		at: time.Now(), variables: append([]agentx.Variable{{Name: oidTrap, Value: agentx.Identifier(name)}}, objects...),
	})
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// sendTraps sends queued traps until window traps are unanswered.
func (s *session) sendTraps() error {
	return s.write(s.nextTraps()...)
}

func (s *session) nextTraps() []*agentx.Packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := &s.traps
	stale := time.Now().Add(-staleAfter)
	for len(q.waiting) > 0 && q.waiting[0].number == 0 && q.waiting[0].at.Before(stale) {
		q.drop(1)
	}
	var packets []*agentx.Packet
	for i := range q.waiting[:min(window, len(q.waiting))] {
		if t := &q.waiting[i]; t.number == 0 {
			s.number++
			t.number = s.number
			packets = append(packets, &agentx.Packet{Session: s.id, Number: s.number, Body: &agentx.Notify{Variables: t.variables}})
		}
	}
	return packets
}
