package director

import (
	"context"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/snmp"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
)

// An snmpAgent is the subsystem that answers SNMP through a master agent
// (AgentX, RFC 2741) and sends traps.
type snmpAgent struct {
	base
	agent optional[snmp.Agent]
	// routers returns the status of the virtual routers. It is called outside the
	// loop.
	routers func(context.Context) (*status.Status, error)
}

func (a *snmpAgent) apply(c *conf.Config) {
	want := &c.Director.SNMP
	o := snmp.Options{AgentX: string(want.AgentX), Traps: want.Traps}
	o.Network, o.Address = want.AgentX.Dial()
	a.agent.want(&a.base, want.AgentX != "",
		func() *snmp.Agent { return snmp.New(a.log, a.routers, o) },
		func(agent *snmp.Agent) { agent.Configure(o) },
		(*snmp.Agent).Close)
}

func (a *snmpAgent) report(s *status.Status) {
	a.agent.with(func(agent *snmp.Agent) {
		st := agent.Status()
		s.SNMP = &st
	})
}

func (a *snmpAgent) suspend()    { a.close() }
func (a *snmpAgent) stop() error { a.close(); return nil }
func (a *snmpAgent) close()      { a.agent.take((*snmp.Agent).Close) }

// handle sends the traps that an event asks for.
func (a *snmpAgent) handle(e *event.Event) {
	a.agent.with(func(agent *snmp.Agent) { agent.Handle(e) })
}
