package director

import (
	"holdfast/cmd/internal/status"
)

// report lists the resources in the order of the file.
func (r *resources) report(s *status.Status) {
	if len(r.units) == 0 {
		return
	}
	for _, name := range unitNames(r.conf) {
		u := r.units[name]
		if u == nil {
			continue
		}
		for _, st := range u.chain.Standings() {
			spec := u.specs[st.Name]
			s.Resources = append(s.Resources, status.Resource{
				Name: st.Name, Group: u.name, Type: string(spec.Kind), State: string(st.State), Since: st.Since,
				BeforeAddresses: st.Early, Action: string(st.Job), Problem: st.Problem, Failures: st.Failures,
				LastLook: st.Looked, RetryAt: st.RetryAt,
			})
		}
	}
}
