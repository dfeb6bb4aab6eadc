package director

import (
	"strings"
	"testing"
	"time"

	"holdfast/checker"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/notify"
	"holdfast/conf"
)

const notified = `
[[service]]
name = "web"
address = "10.0.0.100:80"
[service.notify]
up = "/bin/server-up"
down = "/bin/server-down"
quorum_up = ["/bin/up", "x"]
quorum_down = "/bin/down"
fallback = "/bin/sorry --loud"
down_at_stop = true
  [[service.server]]
  address = "192.168.0.11:80"
  [[service.server]]
  address = "192.168.0.12:80"
[[service]]
name = "quiet"
address = "10.0.0.100:81"
notify = { down = "/bin/down" }
  [[service.server]]
  address = "192.168.0.11:81"
`

// lines returns the commands that run for an event, with "..." where its arguments
// follow.
func lines(d *Director, e *event.Event) string {
	var all []string
	scripts := d.scriptsFor(e)
	for _, c := range scripts.For(e.To) {
		line := strings.Join(c.Argv, " ")
		if !c.OwnArguments {
			line += " ..."
		}
		all = append(all, line)
	}
	return strings.Join(all, "; ")
}

// A service runs its programs when it goes up and down. At a stop of the daemon those
// for down run, where that is wanted, and nobody else hears of it.
func TestScriptsOfServices(t *testing.T) {
	b, heard := alone(t)
	c := parse(t, notified)
	d := &Director{conf: &conf.Config{}, services: newTestServices(t, b, c, newFakeIPVS())}
	verdict := func(id string, up bool) {
		d.services.verdict(checker.Change{ID: id, Up: up, At: time.Now(), Reason: "r"})
		d.services.reconcile()
	}
	var ran []string
	hear := func() {
		for i := range heard.events {
			e := &heard.events[i]
			if run := lines(d, e); run != "" {
				ran = append(ran, e.Subject+": "+run)
			}
		}
	}
	verdict("web/192.168.0.11:80", false)
	verdict("web/192.168.0.12:80", false)
	verdict("web/192.168.0.12:80", true)
	verdict("quiet/192.168.0.11:81", true)
	hear()
	want := `web/192.168.0.11:80: /bin/server-down ...
web/192.168.0.12:80: /bin/server-down ...
web: /bin/down ...; /bin/sorry --loud start
web/192.168.0.12:80: /bin/server-up ...
web: /bin/up x ...; /bin/sorry --loud stop`
	if got := strings.Join(ran, "\n"); got != want {
		t.Errorf("ran:\n%s\nwant:\n%s", got, want)
	}
	heard.events, ran = nil, nil
	d.services.withdraw()
	for _, e := range heard.events {
		if !e.NotJournaled || !notify.HasCall(&e) {
			t.Errorf("at the stop: %+v", e)
		}
	}
	hear()
	if got := strings.Join(ran, "\n"); got != "web/192.168.0.12:80: /bin/server-down ...\nweb: /bin/down ..." {
		t.Errorf("at the stop ran:\n%s", got)
	}
}
