package director

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/cmd/internal/control"
	"holdfast/conf"
	"holdfast/lvs"
)

// What a start would refuse, a preview of the start refuses too.
func TestPreviewRefuses(t *testing.T) {
	c, err := conf.Parse("a.toml", []byte("[[vrrp]]\nname = \"a\"\ninterface = \"nosuch0\"\nvrid = 1\naddresses = [\"10.0.0.1/24\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "a start would be refused: vrrp.a.interface: there is no interface nosuch0 here"
	if _, err := Preview(t.Context(), "a.toml", c, slog.New(slog.DiscardHandler)); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Each step says whether something comes, goes or changes.
func TestStepsSayWhatChanges(t *testing.T) {
	var got []string
	show := func(steps []control.Step) {
		for _, s := range steps {
			got = append(got, strings.Join([]string{string(s.Change), s.Area, s.Text}, " "))
		}
	}
	show(sentences([]string{"start vrrp a", "add service web with 2 servers", "stop vrrp b", "remove service old", "change lvs", "vrrp c joins group g"}))
	for _, verb := range []lvs.Verb{lvs.AddService, lvs.EditService, lvs.DeleteService, lvs.AddServer, lvs.EditServer, lvs.DeleteServer} {
		steps := tableSteps([]lvs.Op{{Verb: verb}})
		got = append(got, string(steps[0].Change)+" "+strings.Fields(steps[0].Text)[1])
	}
	want := []string{
		"add holdfast start vrrp a", "add holdfast add service web with 2 servers", "remove holdfast stop vrrp b",
		"remove holdfast remove service old", "change holdfast change lvs", "change holdfast vrrp c joins group g",
		"add -A", "change -E", "remove -D", "add -a", "change -e", "remove -d",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
