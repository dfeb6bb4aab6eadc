package watch

import (
	"cmp"
	"strconv"
	"strings"

	"holdfast/checker"
	"holdfast/cmd/internal/status"
	"holdfast/lvs"
)

// names returns the names of the columns, in the form of status.Columns.
func (m *model) names() []string {
	switch {
	case m.pane == routers:
		return []string{"NAME", "STATE", ">FOR", ">PRIORITY~4", "INTERFACE~2", ">VRID~1", "MASTER~3", "ADDRESSES"}
	case m.pane == checks:
		return []string{"CHECK", "TYPE~4", "STATE", ">FOR~3", ">TOOK~2", ">FAILURES~1", "LAST FAILURE"}
	case m.pane == events:
		return []string{"TIME", "KIND", "SUBJECT", "CHANGE", "REASON"}
	case m.opened != "":
		return []string{"SERVER", "ADDRESS~3", "HEALTH", ">WEIGHT", ">ACTIVE", ">INACTIVE~1", ">CONNS/S~2", "LAST FAILURE"}
	}
	return []string{"SERVICE", "ADDRESS~4", "BY~1", "HEALTH", ">ACTIVE", ">CONNECTIONS~2", ">CONNS/S~3"}
}

func (m *model) routerRows() []row {
	list := make([]row, 0, len(m.status.VRRP))
	for i := range m.status.VRRP {
		v := &m.status.VRRP[i]
		r := row{cells: []string{
			v.Name, v.State, m.status.Ago(v.Since), strconv.Itoa(v.EffectivePriority), v.Interface, strconv.Itoa(v.VRID),
			v.MasterText(), strings.Join(v.Addresses, " "),
		}}
		r.unwell = v.State == "FAULT" || v.Rival != nil || v.Silenced != nil
		for _, reason := range v.Reasons {
			r.notes = append(r.notes, reason.Text)
		}
		if len(v.Reasons) == 0 && v.Why != "" {
			r.notes = append(r.notes, v.State+" because: "+v.Why)
		}
		list = append(list, r)
	}
	return list
}

func (m *model) serviceRows() []row {
	if m.status.LVS == nil {
		return nil
	}
	list := make([]row, 0, len(m.status.LVS.Services))
	for i := range m.status.LVS.Services {
		v := &m.status.LVS.Services[i]
		var active uint64
		down := 0
		for j := range v.Servers {
			active += uint64(v.Servers[j].Active)
			if v.Servers[j].Health == lvs.Down.String() {
				down++
			}
		}
		r := row{service: v.Name, unwell: down > 0 || v.Wanted && !v.Present, notes: []string{status.QuorumText(v)}}
		r.cells = []string{
			cmp.Or(v.Name, "-"), v.Service, v.Scheduler, status.HealthText(v), status.Count(active), status.Count(v.Counters.Connections), rate(v.Counters.Rates),
		}
		list = append(list, r)
	}
	return list
}

func rate(r *lvs.Rates) string {
	if r == nil {
		return "?"
	}
	return status.Count(r.ConnectionRate)
}

func (m *model) serverRows() []row {
	v := m.service(m.opened)
	if v == nil {
		return nil
	}
	list := make([]row, 0, len(v.Servers))
	for i := range v.Servers {
		s := &v.Servers[i]
		failure := m.failure(v.Name, s.Name)
		r := row{service: v.Name, server: s.Name, unwell: s.Health == lvs.Down.String() || s.Drained}
		if s.Fallback {
			r.server = ""
		}
		r.cells = []string{
			s.Name, s.Address, status.ServerHealthText(s), strconv.Itoa(s.Weight), status.Count(uint64(s.Active)), status.Count(uint64(s.Inactive)),
			rate(s.Counters.Rates), cmp.Or(failure, "-"),
		}
		for _, note := range []string{status.OrderText(s), failure} {
			if note != "" {
				r.notes = append(r.notes, note)
			}
		}
		list = append(list, r)
	}
	return list
}

func (m *model) checkRows() []row {
	list := make([]row, 0, len(m.status.Checks))
	for i := range m.status.Checks {
		c := &m.status.Checks[i]
		took, failure := "-", "-"
		if c.Last != nil {
			took = status.Latency(c.Last.Took)
		}
		r := row{unwell: c.State == checker.Down}
		if len(c.Failures) > 0 {
			failure = m.status.Ago(c.Failures[0].At) + " ago: " + c.Failures[0].Reason
			r.notes = append(r.notes, failure)
		}
		r.cells = []string{c.ID, c.Kind, string(c.State), m.status.Ago(c.Since), took, strconv.FormatUint(c.Counts.Failures, 10), failure}
		list = append(list, r)
	}
	return list
}

func (m *model) eventRows() []row {
	list := make([]row, 0, len(m.events))
	for i := range m.events {
		e := &m.events[i]
		change := e.To
		if e.From != "" {
			change = e.From + " > " + e.To
		}
		list = append(list, row{
			cells: []string{e.At.Local().Format("01-02 15:04:05"), e.Kind, cmp.Or(e.Subject, "-"), cmp.Or(change, "-"), e.Reason},
			notes: []string{e.Reason},
		})
	}
	return list
}
