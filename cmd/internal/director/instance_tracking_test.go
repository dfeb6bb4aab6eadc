package director

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/cmd/internal/track"
	"holdfast/conf"
	"holdfast/vrrp"
)

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

// A fault concerns only the member that tracks it. A weight concerns all members of
// the unit.
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
	d := &routers{}
	d.trackers = &trackers{set: track.NewSet(slog.New(slog.DiscardHandler), func(track.Change) {})}
	defer d.trackers.set.Close()
	apply := func(spec string) {
		d.trackers.set.Apply([]track.Config{
			{Name: "own", Spec: spec, Rise: 1, Fall: 1}, {Name: "weighed", Spec: spec, Rise: 1, Fall: 1, Numeric: true},
			{Name: "shared", Spec: spec, Rise: 1, Fall: 1}, {Name: "raised", Spec: spec, Rise: 1, Fall: 1},
		})
	}
	apply("first")
	in := &instance{
		track:  []conf.Tracking{{Name: "own"}, {Name: "weighed", Weight: -10}, {Name: "shared", Weight: -50}, {Name: "raised", Weight: 7}},
		awaits: map[string]bool{"own": true, "weighed": true, "shared": true, "raised": true},
	}
	unknown := "not known yet"
	check := func(what string, sum int, problems ...string) {
		t.Helper()
		faults, got := d.tracked(in)
		want := map[string]vrrp.Faulted{}
		for i := 0; i < len(problems); i += 2 {
			key := "track:" + problems[i]
			want[key] = vrrp.Faulted{Key: key, Problem: "tracker " + problems[i] + " is " + problems[i+1], Pending: problems[i+1] == unknown}
		}
		if diff := cmp.Diff(want, faults); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		if got != sum {
			t.Errorf("%s: sum %d, want %d", what, got, sum)
		}
		in.tracked = faults
	}
	check("at the start", 0, "own", unknown, "weighed", unknown, "shared", unknown, "raised", unknown)
	d.trackers.set.Report("own", track.Reading{Up: true})
	d.trackers.set.Report("raised", track.Reading{Up: true})
	check("some are known", 7, "weighed", unknown, "shared", unknown)
	d.trackers.set.Report("shared", track.Reading{Up: true})
	d.trackers.set.Report("weighed", track.Reading{Up: true})
	check("all are known", 7)
	d.trackers.set.Report("own", track.Reading{Reason: "broken"})
	d.trackers.set.Report("own", track.Reading{Reason: "still broken"}) // no change
	d.trackers.set.Report("shared", track.Reading{})
	d.trackers.set.Report("weighed", track.Reading{Number: 3})
	d.trackers.set.Report("raised", track.Reading{})
	check("all is down", -80, "own", "down: broken")
	d.trackers.set.Report("weighed", track.Reading{Number: 26, Reason: "26"})
	check("the number is too large", -50, "own", "down: broken", "weighed", "down: 26")
	// A tracker that a reload made another: what it did stays until it is known.
	apply("second")
	check("all is changed", -50, "own", "down: broken", "weighed", "down: 26")
	d.trackers.set.Report("own", track.Reading{Up: true})
	d.trackers.set.Report("weighed", track.Reading{Up: true})
	check("and known", -50)
	// One that it makes anew keeps nobody waiting who runs.
	d.trackers.set.Apply(nil)
	apply("third")
	check("new again, in an instance that runs", 7)
}
