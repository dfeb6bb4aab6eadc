package director

import (
	"context"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/snmp"
	"holdfast/conf"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// applySNMP starts, changes or ends the SNMP agent as a configuration wants.
func (d *Director) applySNMP(c *conf.Config) {
	want := &c.Director.SNMP
	o := snmp.Options{AgentX: string(want.AgentX), Traps: want.Traps}
	o.Network, o.Address = want.AgentX.Dial()
	switch {
	case want.AgentX == "":
		if gone := d.snmp; gone != nil {
			d.threads.Go(gone.Close) // it may be waiting for the loop
		}
		d.snmp = nil
	case d.snmp == nil:
		d.snmp = snmp.New(d.log, d.vrrpStatusSoon, o)
	default:
		d.snmp.Configure(o)
	}
}

// vrrpStatusSoon has the loop make a vrrpStatus.
func (d *Director) vrrpStatusSoon(ctx context.Context) (*control.Status, error) {
	var s *control.Status
	var err error
	if e := d.ask(ctx, func() { s, err = d.vrrpStatus() }); e != nil {
		return nil, e
	}
	return s, err
}

// snmpStatus is how the SNMP agent is, nil if there is none.
func (d *Director) snmpStatus() *control.SNMP {
	if d.snmp == nil {
		return nil
	}
	s := d.snmp.Status()
	return &s
}

// closeSNMP ends the SNMP agent. It may be called again.
func (d *Director) closeSNMP() {
	if d.snmp != nil {
		d.snmp.Close()
	}
	d.snmp = nil
}

// trapMaster sends the trap of a new MASTER.
func (d *Director) trapMaster(r speaker.Report) {
	in := d.instances[r.Router]
	if d.snmp == nil || in == nil || r.To != vrrp.Master {
		return
	}
	address := ""
	if a := source(in, &in.facts); a.IsValid() {
		address = a.String()
	}
	d.snmp.NewMaster(in.snmpRouter(), address, r.Takeover.String())
}

// trapError sends the trap of a protocol error.
func (d *Director) trapError(r speaker.Report) {
	if in := d.instances[r.Router]; d.snmp != nil && in != nil {
		d.snmp.ProtocolError(in.snmpRouter(), r.Drop.String())
	}
}

func (in *instance) snmpRouter() snmp.Router {
	return snmp.Router{IfIndex: in.index, VRID: in.conf.VRID, IPv6: in.conf.Family == vrrp.IPv6}
}
