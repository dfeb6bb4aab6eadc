package director

import (
	"context"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/snmp"
	"holdfast/conf"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// An snmpAgent is the subsystem that answers SNMP through a master agent
// (AgentX, RFC 2741) and sends traps.
type snmpAgent struct {
	base
	agent optional[snmp.Agent]
	// routers returns the status of the virtual routers. It is called outside the
	// loop.
	routers func(context.Context) (*control.Status, error)
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

func (a *snmpAgent) report(s *control.Status) {
	a.agent.with(func(agent *snmp.Agent) {
		st := agent.Status()
		s.SNMP = &st
	})
}

func (a *snmpAgent) suspend()    { a.close() }
func (a *snmpAgent) stop() error { a.close(); return nil }
func (a *snmpAgent) close()      { a.agent.take((*snmp.Agent).Close) }

// newMaster sends the trap of an instance that became MASTER.
func (a *snmpAgent) newMaster(in *instance, takeover vrrp.Takeover) {
	address := ""
	if source := source(in, &in.facts); source.IsValid() {
		address = source.String()
	}
	a.agent.with(func(agent *snmp.Agent) { agent.NewMaster(in.snmpRouter(), address, takeover.String()) })
}

// protocolError sends the trap of an advert that an instance refused.
func (a *snmpAgent) protocolError(in *instance, r *speaker.Report) {
	a.agent.with(func(agent *snmp.Agent) { agent.ProtocolError(in.snmpRouter(), r.Drop.String()) })
}

// snmpRouter is the key of an instance in VRRPv3-MIB (RFC 6527).
func (in *instance) snmpRouter() snmp.Router {
	return snmp.Router{IfIndex: in.index, VRID: in.conf.VRID, IPv6: in.conf.Family == vrrp.IPv6}
}
