package snmp

import (
	"time"

	"holdfast/cmd/internal/snmp/agentx"
	"holdfast/cmd/internal/status"
)

// A view holds the MIB's objects at one moment.
type view struct {
	status  *status.Status
	clock   clock
	objects []object // sorted by name
}

// An object is a scalar or a column of a table. Its instances are sorted by index.
type object struct {
	name    agentx.OID
	indexes []agentx.OID
	value   func(i int) agentx.Value
}

// scalar is the index of a scalar's only instance.
var scalar = []agentx.OID{{0}}

// newView returns a view of a status, at the moment of that status.
func newView(s *status.Status, c clock) *view {
	v := &view{status: s, clock: c}
	rows := rowsOf(s)
	routers := make([]agentx.OID, len(rows))
	var addresses []agentx.OID
	for i := range rows {
		routers[i] = rows[i].router.index()
		for _, a := range rows[i].advertised {
			addresses = append(addresses, rows[i].addressIndex(a))
		}
	}
	v.table(oidOperation, operations, routers, rows)
	v.objects = append(v.objects, object{ // vrrpv3AssociatedIpAddrRowStatus; column 1 is the index
		oidAddress.Append(2), addresses, func(int) agentx.Value { return agentx.Integer(rowActive) },
	})
	for i, value := range global {
		v.objects = append(v.objects, object{
			oidGlobal.Append(uint32(i + 1)), scalar, func(int) agentx.Value { return value(v) },
		})
	}
	v.table(oidStatistic, statistics, routers, rows)
	return v
}

func (v *view) table(entry agentx.OID, columns []column, indexes []agentx.OID, rows []row) {
	for _, c := range columns {
		v.objects = append(v.objects, object{
			entry.Append(c.number), indexes, func(i int) agentx.Value { return c.value(v, &rows[i]) },
		})
	}
}

// get returns the value of an instance. It returns NoSuchInstance or NoSuchObject
// if there is none.
func (v *view) get(name agentx.OID) agentx.Value {
	for i := range v.objects {
		o := &v.objects[i]
		if !name.Under(o.name) {
			continue
		}
		index := name[len(o.name):]
		if j := byIndex(o.indexes, index, true); j < len(o.indexes) && o.indexes[j].Compare(index) == 0 {
			return o.value(j)
		}
		return agentx.NoSuchInstance
	}
	return agentx.NoSuchObject
}

// next returns the first instance in a range. If there is none, it returns
// EndOfView with the start of the range as name.
func (v *view) next(r agentx.Range) agentx.Variable {
	for i := range v.objects {
		o := &v.objects[i]
		j := 0
		switch {
		case r.Start.Under(o.name):
			j = byIndex(o.indexes, r.Start[len(o.name):], r.Include)
		case r.Start.Compare(o.name) > 0:
			continue // the object is before the range
		}
		if j == len(o.indexes) {
			continue
		}
		name := o.name.Append(o.indexes[j]...)
		if len(r.End) > 0 && name.Compare(r.End) >= 0 {
			break
		}
		return agentx.Variable{Name: name, Value: o.value(j)}
	}
	return agentx.Variable{Name: r.Start, Value: agentx.EndOfView}
}

// maxBulk limits the number of variables in the answer to a GetBulk. The master
// agent discards variables that do not fit into the manager's packet.
const maxBulk = 1000

// bulk answers a GetBulk (RFC 2741 §7.2.3.3).
func (v *view) bulk(g *agentx.GetBulk) []agentx.Variable {
	single := min(int(g.NonRepeaters), len(g.Ranges))
	var list []agentx.Variable
	for _, r := range g.Ranges[:single] {
		list = append(list, v.next(r))
	}
	repeated := append([]agentx.Range(nil), g.Ranges[single:]...)
	for range g.MaxRepetitions {
		more := false
		for i := range repeated {
			found := v.next(repeated[i])
			list = append(list, found)
			more = more || found.Value.Kind != agentx.KindEndOfView
			repeated[i].Start, repeated[i].Include = found.Name, false
		}
		if !more || len(list) >= maxBulk {
			break
		}
	}
	return list
}

// since returns the time from t to the moment of the status, in TimeTicks. It
// returns 0 for the zero time.
func (v *view) since(t time.Time) uint32 {
	if t.IsZero() {
		return 0
	}
	return ticks(v.status.Now.Sub(t))
}

// A clock holds the value of sysUpTime at a moment. sysUpTime is the time since
// the master agent was started.
type clock struct {
	when   time.Time
	upTime uint32 // in TimeTicks
}

// synced returns the clock for the sysUpTime that a master agent reported at when.
// It returns c while the master agent is the same. Otherwise a TimeStamp could
// shift by a tick, and managers would take it for another moment.
func (c clock) synced(when time.Time, upTime uint32) clock {
	said := clock{when, upTime}
	if !c.when.IsZero() && said.started().Sub(c.started()).Abs() < time.Second {
		return c
	}
	return said
}

func (c clock) started() time.Time { return c.when.Add(-time.Duration(c.upTime) * tick) }

// at returns sysUpTime at t as a TimeStamp (RFC 2579). It returns 0 if t is before
// the start of the master agent.
func (c clock) at(t time.Time) uint32 {
	return ticks(t.Sub(c.started()))
}

// tick is the unit of TimeTicks.
const tick = 10 * time.Millisecond

func ticks(d time.Duration) uint32 { return uint32(max(d, 0) / tick) }
