package director

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/checker"
	"holdfast/cmd/internal/status"
	"holdfast/lvs"
)

// Servers with one certificate make one problem, whatever their number.
func TestCheckWarnings(t *testing.T) {
	const old, older = "the certificate of a.example expires on 2026-12-11 12:00 UTC", "the certificate of a.example expired on 2026-11-11 12:00 UTC"
	got := checkWarnings([]checker.Warning{
		{ID: "mail/rs1", Text: old}, {ID: "web/rs1", Text: old}, {ID: "web/rs2", Text: older}, {ID: "web/rs3", Text: old},
	})
	want := []status.Problem{
		{Kind: "check", Name: "mail", Text: "service mail: " + old + " (server rs1)"},
		{Kind: "check", Name: "web", Text: "service web: " + old + " (2 servers)"},
		{Kind: "check", Name: "web", Text: "service web: " + older + " (server rs2)"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// Checks that cannot be sent make one problem for each service.
func TestUnsentChecks(t *testing.T) {
	c := parse(t, twoServers)
	one, two := lvs.Ref{Service: "web", Server: "192.168.0.11:80"}, lvs.Ref{Service: "web", Server: "192.168.0.12:80"}
	const text = "service web: checks of server 192.168.0.11:80 cannot be sent from here: no route to host"
	for _, k := range []struct {
		unsent map[lvs.Ref]string
		want   []status.Problem
	}{
		{nil, nil},
		{map[lvs.Ref]string{one: "no route to host"}, []status.Problem{{Kind: "unsent", Name: "web", Text: text}}},
		{map[lvs.Ref]string{one: "no route to host", two: "x"}, []status.Problem{{Kind: "unsent", Name: "web", Text: text + "; so it is with 2 of 2 servers"}}},
	} {
		if diff := cmp.Diff(k.want, unsentChecks(c.Services, k.unsent)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", k.unsent, diff)
		}
	}
}
