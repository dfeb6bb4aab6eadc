package snmp

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/snmp/agentx"
)

func TestTraps(t *testing.T) {
	m := newMaster(t)
	inRig(t, m, func(r *rig) {
		synctest.Wait()
		r.agent.Handle(becameMaster(routerKey{IfIndex: 2, VRID: 51, IPv6: true}, "fe80::2", "preempted"))
		r.agent.Handle(protocolError(routerKey{IfIndex: 3, VRID: 52}, "version"))
		synctest.Wait()
		want := []agentx.Body{
			&agentx.Notify{Variables: []agentx.Variable{
				{Name: oidTrap, Value: agentx.Identifier(agentx.OID{1, 3, 6, 1, 2, 1, 207, 0, 1})},
				{Name: agentx.OID{1, 3, 6, 1, 2, 1, 207, 1, 1, 1, 1, 3, 2, 51, 2}, Value: agentx.Octets([]byte{0xfe, 0x80, 15: 2})},
				{Name: agentx.OID{1, 3, 6, 1, 2, 1, 207, 1, 2, 5, 1, 2, 2, 51, 2}, Value: agentx.Integer(2)},
			}},
			&agentx.Notify{Variables: []agentx.Variable{
				{Name: oidTrap, Value: agentx.Identifier(agentx.OID{1, 3, 6, 1, 2, 1, 207, 0, 2})},
				{Name: agentx.OID{1, 3, 6, 1, 2, 1, 207, 1, 2, 5, 1, 6, 3, 52, 1}, Value: agentx.Integer(2)},
			}},
		}
		if diff := cmp.Diff(want, m.heard[2:]); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if s := r.agent.Status(); s.TrapsSent != 2 || s.TrapsQueued != 0 || s.TrapsDropped != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

// While there is no session, traps wait in order, including those that the master
// agent did not confirm. The oldest are dropped when there are too many.
func TestTrapsWait(t *testing.T) {
	inRig(t, nil, func(r *rig) {
		router := func(i int) routerKey { return routerKey{IfIndex: i, VRID: 1} }
		r.agent.Handle(becameMaster(router(999), "10.0.0.1", "priority"))
		time.Sleep(staleAfter - 10*time.Second)
		for i := range 100 {
			r.agent.Handle(becameMaster(router(i+1), "10.0.0.1", "priority"))
		}
		if s := r.agent.Status(); s.TrapsQueued != 101 {
			t.Errorf("status %+v", s)
		}
		silent := newMaster(t)
		silent.refuse["notify"] = agentx.ErrNotOpen // it lost the session and accepted no trap
		r.serve(silent.run)
		time.Sleep(pauseMax)
		synctest.Wait()
		m := newMaster(t)
		r.serve(m.run)
		time.Sleep(pauseMax)
		synctest.Wait()
		var got []uint32
		for _, b := range m.heard {
			if n, ok := b.(*agentx.Notify); ok {
				got = append(got, n.Variables[1].Name[len(oidOperation)+1])
			}
		}
		if len(got) != 100 || got[0] != 1 || got[99] != 100 {
			t.Errorf("%d traps: %v", len(got), got)
		}
		if s := r.agent.Status(); s.TrapsSent != 100 || s.TrapsDropped != 1 || s.TrapsQueued != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestTrapsBounded(t *testing.T) {
	inRig(t, nil, func(r *rig) {
		for range queueLen + 10 {
			r.agent.Handle(protocolError(routerKey{IfIndex: 1, VRID: 1}, "checksum"))
		}
		if s := r.agent.Status(); s.TrapsQueued != queueLen || s.TrapsDropped != 10 {
			t.Errorf("status %+v", s)
		}
		r.agent.Configure(Options{AgentX: "/x"})
		r.agent.Handle(protocolError(routerKey{IfIndex: 1, VRID: 1}, "checksum"))
		if s := r.agent.Status(); s.TrapsQueued != 0 || s.TrapsDropped != queueLen+10 {
			t.Errorf("without traps: %+v", s)
		}
	})
}

// The number of unanswered traps is limited, even if the master agent does not read
// and answers at the same time.
func TestTrapWindow(t *testing.T) {
	m := newMaster(t)
	inRig(t, m, func(r *rig) {
		synctest.Wait()
		m.setMute()
		for range 100 {
			r.agent.Handle(protocolError(routerKey{IfIndex: 1, VRID: 1}, "checksum"))
		}
		synctest.Wait()
		m.mu.Lock()
		under := len(m.heard) - 2
		m.mu.Unlock()
		if under != window {
			t.Errorf("%d traps are under way", under)
		}
	})
}

func becameMaster(r routerKey, source, takeover string) *event.Event {
	i := about(r)
	i.Source, i.Takeover = source, takeover
	return &event.Event{Kind: event.KindInstance, From: event.Backup, To: event.Master, Instance: i}
}

func protocolError(r routerKey, drop string) *event.Event {
	i := about(r)
	i.Drop = drop
	return &event.Event{Kind: event.KindProtocolError, Instance: i, NotJournaled: true}
}

func about(r routerKey) *event.Instance {
	family := "ipv4"
	if r.IPv6 {
		family = "ipv6"
	}
	return &event.Instance{IfIndex: r.IfIndex, VRID: int(r.VRID), Family: family}
}
