package status

import "slices"

// A Policy is a route or a routing rule of a virtual router.
type Policy struct {
	Text    string `json:"text"`    // in the syntax of ip route or ip rule
	Present bool   `json:"present"` // the route or rule is in the kernel
	// Why is what keeps the route or rule out of the kernel while the addresses are
	// on this host.
	Why string `json:"why,omitempty"`
}

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

// missing reports whether a route or rule should be in the kernel but cannot be
// installed. A route or rule without a Why is still being installed.
func (i *Instance) missing(p *Policy) bool { return i.Holding && !p.Present && p.Why != "" }
