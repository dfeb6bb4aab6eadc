package main

import (
	"slices"
	"testing"

	"holdfast/cmd/internal/status"
	"holdfast/lvs"
)

func TestCompletionNames(t *testing.T) {
	s := &status.Status{
		Groups: []status.Group{{Name: "director"}},
		VRRP:   []status.Instance{{Name: "outside", Group: "director"}, {Name: "lone"}},
		LVS: &status.LVS{Services: []lvs.ServiceStatus{
			{Name: "web", Servers: []lvs.ServerStatus{{Name: "rs1"}, {Name: "rs2"}}},
			{Name: "mail", Servers: []lvs.ServerStatus{{Name: "rs3"}}},
		}},
	}
	for _, tt := range []struct {
		name string
		of   func(*status.Status, []string) []string
		args []string
		want []string
	}{
		{"services", serverNames, nil, []string{"web", "mail", "all"}},
		{"servers of a service", serverNames, []string{"web"}, []string{"rs1", "rs2"}},
		{"servers of all", serverNames, []string{"all"}, []string{"rs1", "rs2", "rs3"}},
		{"nothing after the server", serverNames, []string{"web", "rs1"}, nil},
		{"what can be handed over", routerNames, nil, []string{"director", "lone"}},
		{"one thing is handed over", routerNames, []string{"lone"}, nil},
		{"what can fail", subjectNames, nil, []string{"director", "lone", "outside", "lone", "web", "web/rs1", "web/rs2", "mail", "mail/rs3"}},
	} {
		if got := tt.of(s, tt.args); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := subjectNames(&status.Status{}, nil); len(got) != 0 {
		t.Errorf("nothing runs, but %q", got)
	}
}
