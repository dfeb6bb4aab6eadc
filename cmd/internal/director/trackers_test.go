package director

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/cmd/internal/track"
	"holdfast/conf"
	"holdfast/integration/tools"
	"holdfast/lvs"
)

func TestServiceReading(t *testing.T) {
	c := parse(t, `
[[service]]
name = "web"
address = "10.0.0.100:80"
[[service.server]]
name = "a"
address = "10.1.0.1"
weight = 5
[[service.server]]
name = "b"
address = "10.1.0.2"
weight = 1
[[service.server]]
name = "c"
address = "10.1.0.3"
weight = 1
`)
	const up, down, unknown = lvs.Up, lvs.Down, lvs.Unknown
	tests := []struct {
		name        string
		quorum, sum int
		health      [3]lvs.Health
		known       bool
		want        track.Reading
		service     lvs.Health
	}{
		{"one is enough", 1, 0, [3]lvs.Health{down, down, up}, true, track.Reading{Up: true}, down},
		{"none", 1, 0, [3]lvs.Health{down, down, down}, true, track.Reading{Reason: "0 of 3 servers of web are up, 1 are needed"}, down},
		{"nobody knows", 1, 0, [3]lvs.Health{unknown, unknown, unknown}, false, track.Reading{}, down},
		{"the unknown could decide", 2, 0, [3]lvs.Health{up, unknown, down}, false, track.Reading{}, down},
		{"the unknown cannot help", 3, 0, [3]lvs.Health{up, unknown, down}, true, track.Reading{Reason: "1 of 3 servers of web are up, 3 are needed"}, down},
		{"the unknown do not matter", 1, 0, [3]lvs.Health{up, unknown, down}, true, track.Reading{Up: true}, down},
		{"weight", 1, 5, [3]lvs.Health{up, down, down}, true, track.Reading{Up: true}, down},
		{"too little weight", 1, 5, [3]lvs.Health{down, up, up}, true, track.Reading{Reason: "2 of 3 servers of web are up, 1 are needed; their weights sum up to 2, 5 is needed"}, down},
		{"the service is up", 0, 0, [3]lvs.Health{up, down, down}, true, track.Reading{Up: true}, up},
		{"the service is down", 0, 0, [3]lvs.Health{up, up, down}, true, track.Reading{Reason: "service web is down: 2 of 3 servers are up"}, down},
		{"the service is not known", 0, 0, [3]lvs.Health{up, unknown, down}, false, track.Reading{}, unknown},
		{"the service is up with too little weight", 0, 5, [3]lvs.Health{down, up, down}, true, track.Reading{Reason: "service web is up: 1 of 3 servers are up; their weights sum up to 1, 5 is needed"}, up},
		{"weight unknown", 1, 5, [3]lvs.Health{unknown, up, up}, false, track.Reading{}, down},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			health := func(r lvs.Ref) lvs.Health {
				if r.Service != "web" {
					t.Errorf("asked for %v", r)
				}
				return tt.health[r.Server[0]-'a']
			}
			service := func(string) lvs.Health { return tt.service }
			got, known := serviceReading(&conf.Track{Quorum: tt.quorum, QuorumSum: tt.sum}, &c.Services[0], serverView{health: health, service: service})
			if known != tt.known || known && got != tt.want {
				t.Errorf("got %+v, %v; want %+v, %v", got, known, tt.want, tt.known)
			}
		})
	}
}

// A tracker can be down because checks cannot be sent, though servers still count as
// up.
func TestServiceReadingOfUnsentChecks(t *testing.T) {
	c := parse(t, twoServers)
	view := serverView{health: func(lvs.Ref) lvs.Health { return lvs.Up }, unsent: map[lvs.Ref]string{{Service: "web", Server: "192.168.0.11:80"}: "no route"}}
	for unsent, want := range map[int]track.Reading{
		0: {Up: true},
		1: {Reason: "checks of 1 of 2 servers of web cannot be sent from here"},
		2: {Up: true},
	} {
		got, known := serviceReading(&conf.Track{Quorum: 1, Unsent: unsent}, &c.Services[0], view)
		if !known || got != want {
			t.Errorf("unsent = %d: %+v, want %+v", unsent, got, want)
		}
	}
}

// The status of a file's tracker says that its directory cannot be watched, until
// it can.
func TestTrackerThatChecksAtIntervalsOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := parse(t, fmt.Sprintf(`
[[vrrp]]
name = "a"
interface = "eth0"
vrid = 1
addresses = ["10.0.0.1/24"]
track = ["load"]
[[track]]
name = "load"
type = "file"
file = %q
interval = "1h"
weight = -1
`, filepath.Join(dir, "load")))
	tr := &trackers{
		base:    base{log: slog.New(slog.DiscardHandler), post: func(func()) {}},
		dir:     t.TempDir(),
		routers: nobodyTracks{}, reportOthers: func() {},
	}
	if err := tr.open(); err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	tr.apply(c)
	note := func() string {
		var s status.Status
		tr.report(&s)
		return s.Trackers[0].Note
	}
	if got, want := note(), "checked at intervals only: watch "+dir+": no such file or directory"; got != want {
		t.Errorf("note %q, want %q", got, want)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	tr.set.Nudge("load")
	tools.Await(t, "no note once the directory exists", func() (any, bool) { return note(), note() == "" })
}

// nobodyTracks are no virtual routers.
type nobodyTracks struct{}

func (nobodyTracks) trackerChanged(string)           {}
func (nobodyTracks) trackedBy(string) map[string]int { return nil }

// States that cannot be saved are a problem until they are saved, which is tried again.
func TestTrackersThatCannotBeSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "run")
		var found []status.Problem
		loop := make(chan func(), 1)
		wait := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
			select {
			case f := <-loop:
				f()
			default:
			}
		}
		tr := &trackers{
			base:    base{log: slog.New(slog.DiscardHandler), post: func(f func()) { loop <- f }, publish: func(event.Event) {}},
			dir:     dir,
			routers: nobodyTracks{}, problems: func(all []status.Problem) { found = all },
		}
		if err := tr.open(); err != nil {
			t.Fatal(err)
		}
		down := track.Change{Name: "load", Standing: track.Standing{State: track.Down}}
		tr.changed(down)
		tr.changed(down) // is saved with the first: the loop has room for one save
		wait(0)
		if len(found) != 1 || found[0].Kind != "journal" {
			t.Errorf("problems %+v", found)
		}
		wait(keepAgain + time.Second)
		if len(found) != 1 {
			t.Errorf("problems %+v although the directory is still missing", found)
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		wait(keepAgain)
		if len(found) != 0 {
			t.Errorf("problems %+v although the directory exists", found)
		}
		tr.close()
	})
}
