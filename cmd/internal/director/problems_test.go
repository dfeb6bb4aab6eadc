package director

import (
	"log/slog"
	"slices"
	"testing"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
)

// A problem is one event when it comes and one when it goes, whatever its text says
// meanwhile.
func TestProblems(t *testing.T) {
	var events []string
	p := &problems{base: base{log: slog.New(slog.DiscardHandler), publish: func(e event.Event) {
		events = append(events, e.To+" "+e.Subject+": "+e.Reason)
	}}}
	device := func(text string) status.Problem { return status.Problem{Kind: "device", Name: "vrrp4-51", Text: text} }
	other := status.Problem{Kind: "sysctl", Name: "arp_ignore", Text: "read-only file system"}
	for _, step := range []struct {
		name string
		now  []status.Problem
		want []string
	}{
		{"found", []status.Problem{device("no answer in 1s")}, []string{"found vrrp4-51: no answer in 1s"}},
		{"the same", []status.Problem{device("no answer in 1s")}, nil},
		{"another text", []status.Problem{device("no answer in 2s")}, nil},
		{"another one", []status.Problem{other, device("no answer in 3s")}, []string{"found arp_ignore: read-only file system"}},
		{"a second of its kind", []status.Problem{other, device("no answer in 3s"), device("is gone"), device("is gone")},
			[]string{"found vrrp4-51: is gone"}},
		{"gone", []status.Problem{other}, []string{"gone vrrp4-51: is gone", "gone vrrp4-51: no answer in 3s"}},
	} {
		events = nil
		p.set("host", step.now)
		slices.Sort(events)
		if !slices.Equal(events, step.want) {
			t.Errorf("%s: %q, want %q", step.name, events, step.want)
		}
	}
	var s status.Status
	if p.report(&s); len(s.Problems) != 1 || s.Problems[0].Since.IsZero() {
		t.Errorf("status %+v", s.Problems)
	}
}
