package status

import "fmt"

// sayer takes one sentence about a problem.
type sayer func(format string, args ...any)

// Unwell returns one sentence for each problem. It returns nil if there is no problem.
// BACKUP is not a problem. A service is not a problem while none of its servers has
// had a verdict.
func (s *Status) Unwell() []string {
	var problems []string
	var say sayer = func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if r := s.Config.LastReload; r != nil && !r.OK {
		say("the last reload failed, the configuration before it is in force")
	}
	for i := range s.VRRP {
		s.VRRP[i].unwell(s, say)
	}
	for _, p := range s.Problems {
		if p.VRRP != "" {
			say("vrrp %s: %s", p.VRRP, p.Text)
		} else {
			say("%s", p.Text)
		}
	}
	for i := range s.Notify {
		s.Notify[i].unwell(say)
	}
	s.DBus.unwell(say)
	s.BFD.unwell(say)
	s.SNMP.unwell(say)
	s.LVS.unwell(say)
	return problems
}
