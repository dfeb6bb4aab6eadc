package director

import (
	"fmt"
	"strings"

	"holdfast/checker"
	"holdfast/cmd/internal/status"
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
