package director

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/checker"
	"holdfast/cmd/internal/status"
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
