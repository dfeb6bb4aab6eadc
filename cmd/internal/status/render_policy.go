package status

import (
	"slices"
)

// policies writes the routes and rules that move with the virtual routers.
func (s *Status) policies(b *page) {
	var t table
	t.header("VRRP", "STATE", "ROUTE OR RULE")
	found := false
	for i := range s.VRRP {
		v := &s.VRRP[i]
		for _, p := range slices.Concat(v.Routes, v.Rules) {
			found = true
			t.row(v.Name, v.policyState(&p), p.Text)
			t.unwell(v.missing(&p))
			if p.Why != "" {
				t.note(p.Why)
			}
		}
	}
	if found {
		b.WriteString("\nROUTES AND RULES\n")
		t.write(b)
	}
}

func (i *Instance) policyState(p *Policy) string {
	switch {
	case p.Present:
		return "there"
	case i.Holding:
		return "MISSING"
	}
	return "not here" // the MASTER has the route or rule
}
