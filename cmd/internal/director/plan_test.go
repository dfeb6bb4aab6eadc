package director

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/cmd/internal/control"
	"holdfast/conf"
	"holdfast/lvs"
	"holdfast/vrrp"
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

// No difference of two configurations goes without a word, but those that only a reader
// of the file sees.
func TestEverySectionIsDescribed(t *testing.T) {
	was := func() *conf.Config {
		return &conf.Config{
			Director: conf.Director{Name: "lvs1"},
			VRRP:     []conf.Instance{{Config: vrrp.Config{Name: "outside"}}},
			Groups:   []conf.Group{{Name: "director", Members: []string{"outside"}}},
		}
	}
	for _, test := range []struct {
		change func(*conf.Config)
		want   []string
	}{
		{func(*conf.Config) {}, nil},
		{func(c *conf.Config) { c.Groups[0].Resources = []conf.Resource{{Name: "job"}} }, []string{"change the resources of group director"}},
		{func(c *conf.Config) { c.Groups[0].Fence.Node = "lvs2" }, []string{"change the fencing of group director"}},
		{func(c *conf.Config) { c.VRRP[0].Resources = []conf.Resource{{Name: "job"}} }, []string{"change vrrp outside"}},
		{func(c *conf.Config) { c.LVS.MaintenanceDir = "/etc/holdfast/down" }, []string{"change lvs"}},
		{func(c *conf.Config) { c.Alerts = []conf.Alert{{Name: "mail"}} }, []string{"change alert"}},
		{func(c *conf.Config) { c.MonTraps.Senders = []conf.MonSender{{User: "lvs1"}} }, []string{"change mon_traps"}},
		{func(c *conf.Config) {
			c.Services = make([]conf.Service, 2)
			c.Services[0].Name, c.Services[0].Servers = "web", make([]lvs.ServerConfig, 1)
			c.Services[1].Name, c.Services[1].Servers = "dns", make([]lvs.ServerConfig, 2)
		}, []string{"add service web with 1 server", "add service dns with 2 servers"}},
		{func(c *conf.Config) { c.Metrics.KeepalivedNames = true }, []string{"change metrics"}},
		{func(c *conf.Config) { c.Director.MaxCheckPrograms = 7 }, []string{"change director"}},
	} {
		is := was()
		test.change(is)
		if diff := cmp.Diff(test.want, describe(was(), is)); diff != "" {
			t.Error(diff)
		}
	}
}
