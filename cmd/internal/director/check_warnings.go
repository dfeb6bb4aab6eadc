package director

import (
	"fmt"
	"strings"

	"holdfast/checker"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/lvs"
)

// checkWarnings returns the warnings of checks as problems. Servers of one service
// often show the same certificate, and make one problem together. The warnings are
// sorted by ID.
func checkWarnings(warnings []checker.Warning) []status.Problem {
	type key struct{ service, text string }
	var order []key
	servers := map[key][]string{}
	for _, w := range warnings {
		service, server, _ := strings.Cut(w.ID, "/")
		k := key{service, w.Text}
		if servers[k] == nil {
			order = append(order, k)
		}
		servers[k] = append(servers[k], server)
	}
	var all []status.Problem
	for _, k := range order {
		shown := "server " + servers[k][0]
		if n := len(servers[k]); n > 1 {
			shown = fmt.Sprintf("%d servers", n)
		}
		all = append(all, status.Problem{
			Kind: "check", Name: k.service, Text: fmt.Sprintf("service %s: %s (%s)", k.service, k.text, shown),
		})
	}
	return all
}

// unsentChecks returns the servers whose checks cannot be sent from here as problems, one
// for each service, with the reason of one of them.
func unsentChecks(services []conf.Service, unsent map[lvs.Ref]string) []status.Problem {
	var all []status.Problem
	for i := range services {
		s := &services[i]
		n, text := 0, ""
		for j := range s.Servers {
			r := lvs.Ref{Service: s.Name, Server: s.Servers[j].Name}
			reason, is := unsent[r]
			if !is {
				continue
			}
			if n++; n == 1 {
				text = fmt.Sprintf("service %s: checks of server %s cannot be sent from here: %s", s.Name, r.Server, reason)
			}
		}
		if n > 1 {
			text += fmt.Sprintf("; so it is with %d of %d servers", n, len(s.Servers))
		}
		if n > 0 {
			all = append(all, status.Problem{Kind: "unsent", Name: s.Name, Text: text})
		}
	}
	return all
}
