package director

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/cmd/internal/track"
	"holdfast/conf"
	"holdfast/lvs"
	"holdfast/vrrp"
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
	}{
		{"one is enough", 1, 0, [3]lvs.Health{down, down, up}, true, track.Reading{Up: true}},
		{"none", 1, 0, [3]lvs.Health{down, down, down}, true, track.Reading{Reason: "0 of 3 servers of web are up, 1 are needed"}},
		{"nobody knows", 1, 0, [3]lvs.Health{unknown, unknown, unknown}, false, track.Reading{}},
		{"the unknown could decide", 2, 0, [3]lvs.Health{up, unknown, down}, false, track.Reading{}},
		{"the unknown cannot help", 3, 0, [3]lvs.Health{up, unknown, down}, true, track.Reading{Reason: "1 of 3 servers of web are up, 3 are needed"}},
		{"the unknown do not matter", 1, 0, [3]lvs.Health{up, unknown, down}, true, track.Reading{Up: true}},
		{"weight", 1, 5, [3]lvs.Health{up, down, down}, true, track.Reading{Up: true}},
		{"too little weight", 1, 5, [3]lvs.Health{down, up, up}, true, track.Reading{Reason: "2 of 3 servers of web are up, 1 are needed; their weights sum up to 2, 5 is needed"}},
		{"weight unknown", 1, 5, [3]lvs.Health{unknown, up, up}, false, track.Reading{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			health := func(r lvs.Ref) lvs.Health {
				if r.Service != "web" {
					t.Errorf("asked for %v", r)
				}
				return tt.health[r.Server[0]-'a']
			}
			got, known := serviceReading(&conf.Track{Quorum: tt.quorum, QuorumSum: tt.sum}, &c.Services[0], health)
			if known != tt.known || known && got != tt.want {
				t.Errorf("got %+v, %v; want %+v, %v", got, known, tt.want, tt.known)
			}
		})
	}
}

const tracked = twoUnits + `
track = ["shared"]
[[track]]
name = "shared"
type = "process"
process = "x"
[[track]]
name = "own"
type = "process"
process = "x"
[[track]]
name = "weighed"
type = "file"
file = "/x"
weight = -10
`

// What a member faults on is its own; what it weighs is its fellows' too.
func TestUnitTracking(t *testing.T) {
	c := parse(t, tracked)
	c.VRRP[0].Track = []conf.Tracking{{Name: "own"}, {Name: "weighed", Weight: -10}, {Name: "shared"}}
	us := units(c)
	for i, want := range [][]conf.Tracking{
		{{Name: "own"}, {Name: "weighed", Weight: -10}, {Name: "shared"}},
		{{Name: "shared"}, {Name: "weighed", Weight: -10}},
	} {
		if diff := cmp.Diff(want, us[0].tracking(i)); diff != "" {
			t.Errorf("member %d (-want +got):\n%s", i, diff)
		}
	}
	if got := us[1].tracking(0); len(got) != 0 {
		t.Errorf("the lone instance tracks %v", got)
	}
}

func TestTracked(t *testing.T) {
	d := &Director{conf: parse(t, tracked)}
	d.tracks = track.NewSet(slog.New(slog.DiscardHandler), func(track.Change) {})
	defer d.tracks.Close()
	apply := func(spec string) {
		d.tracks.Apply([]track.Config{
			{Name: "own", Spec: spec, Rise: 1, Fall: 1}, {Name: "weighed", Spec: spec, Rise: 1, Fall: 1, Numeric: true},
			{Name: "shared", Spec: spec, Rise: 1, Fall: 1}, {Name: "raised", Spec: spec, Rise: 1, Fall: 1},
		})
	}
	apply("first")
	in := &instance{
		track:  []conf.Tracking{{Name: "own"}, {Name: "weighed", Weight: -10}, {Name: "shared", Weight: -50}, {Name: "raised", Weight: 7}},
		awaits: map[string]bool{"own": true, "weighed": true, "shared": true, "raised": true},
	}
	check := func(what string, sum int, problems ...string) {
		t.Helper()
		faults, got := d.tracked(in)
		want := map[string]vrrp.Faulted{}
		for i := 0; i < len(problems); i += 2 {
			key := "track:" + problems[i]
			want[key] = vrrp.Faulted{Key: key, Problem: "tracker " + problems[i] + " is " + problems[i+1]}
		}
		if diff := cmp.Diff(want, faults); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		if got != sum {
			t.Errorf("%s: sum %d, want %d", what, got, sum)
		}
		in.tracked = faults
	}
	unknown := "not known yet"
	check("at the start", 0, "own", unknown, "weighed", unknown, "shared", unknown, "raised", unknown)
	d.tracks.Report("own", track.Reading{Up: true})
	d.tracks.Report("raised", track.Reading{Up: true})
	check("some are known", 7, "weighed", unknown, "shared", unknown)
	d.tracks.Report("shared", track.Reading{Up: true})
	d.tracks.Report("weighed", track.Reading{Up: true})
	check("all are known", 7)
	d.tracks.Report("own", track.Reading{Reason: "broken"})
	d.tracks.Report("own", track.Reading{Reason: "still broken"}) // no change
	d.tracks.Report("shared", track.Reading{})
	d.tracks.Report("weighed", track.Reading{Number: 3})
	d.tracks.Report("raised", track.Reading{})
	check("all is down", -80, "own", "down: broken")
	d.tracks.Report("weighed", track.Reading{Number: 26, Reason: "26"})
	check("the number is too large", -50, "own", "down: broken", "weighed", "down: 26")
	// A tracker that a reload made another: what it did stays until it is known.
	apply("second")
	check("all is changed", -50, "own", "down: broken", "weighed", "down: 26")
	d.tracks.Report("own", track.Reading{Up: true})
	d.tracks.Report("weighed", track.Reading{Up: true})
	check("and known", -50)
	// One that it makes anew keeps nobody waiting who runs.
	d.tracks.Apply(nil)
	apply("third")
	check("new again, in an instance that runs", 7)
}
