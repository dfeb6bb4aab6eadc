package probe

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A seriesStage answers one run after the other.
type seriesStage struct {
	answers []Ended
	ran     []Program
}

func (s *seriesStage) Run(_ context.Context, p Program) (Ended, error) {
	e := s.answers[len(s.ran)]
	s.ran = append(s.ran, p)
	return e, nil
}

// A monitor of all servers is told of its earlier runs, and whoever wants to hears of
// each run once. A service GROUP:SERVICE has both names.
func TestMonRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := &seriesStage{answers: []Ended{
			{Status: 1, Output: []byte("www2\nrefused\n")}, {Status: 1, Output: []byte("www1\n"), Errors: []byte("late\n")}, {}, {},
		}}
		var heard []MonRun
		tools := &Tools{Programs: on, OnRun: func(r MonRun) { heard = append(heard, r) }}
		s := defaultExternal
		s.Command, s.Style, s.Host, s.Together, s.Environment = []string{"/lib/fping.monitor"}, StyleMon, HostName, true, []string{"MON_DESCRIPTION=x"}
		named := []Named{{Name: "www1"}, {Name: "www2"}}
		var both []Prober
		for _, v := range named {
			both = append(both, tools.Prober(s.For(Subject{Service: "web:ping", Server: v.Name}, named), Target{Timeout: time.Second, Interval: 10 * time.Second}))
		}
		start := time.Now()
		var errs []string
		for range on.answers {
			for _, p := range both {
				err := p.Probe(t.Context())
				errs = append(errs, texts(err)...)
			}
			time.Sleep(10 * time.Second)
		}
		if want := []string{"", "refused", "the monitor names it as failed", "", "", "", "", ""}; !slices.Equal(errs, want) {
			t.Errorf("errors %q, want %q", errs, want)
		}
		if len(heard) != 4 || heard[1].Output != "www1\nlate\n" || heard[1].Status != 1 || heard[1].Service != "web:ping" || heard[0].Environment[0] != "MON_DESCRIPTION=x" {
			t.Errorf("heard %+v", heard)
		}
		if got := on.ran[0].Argv; !slices.Equal(got, []string{"/lib/fping.monitor", "www1", "www2"}) {
			t.Errorf("arguments %q", got)
		}
		begin := monTime(start)
		for i, want := range []string{
			"MON_LAST_FAILURE=0 MON_LAST_SUCCESS=0",
			"MON_LAST_FAILURE=" + begin + " MON_LAST_SUCCESS=0 MON_FIRST_FAILURE=" + begin + " MON_LAST_OUTPUT=www2\nrefused\n MON_LAST_SUMMARY=www2",
			"MON_LAST_FAILURE=" + monTime(start.Add(10*time.Second)) + " MON_LAST_SUCCESS=0 MON_FIRST_FAILURE=" + begin + " MON_LAST_OUTPUT=www1\nlate\n MON_LAST_SUMMARY=www1",
			"MON_LAST_FAILURE=0 MON_LAST_SUCCESS=" + monTime(start.Add(20*time.Second)) + " MON_FIRST_FAILURE=0 MON_LAST_OUTPUT=",
		} {
			got, _, _ := strings.Cut(strings.Join(on.ran[i].Environment, " "), " HOLDFAST_CHECK=")
			if got != want {
				t.Errorf("run %d:\ngot  %s\nwant %s", i, got, want)
			}
		}
		if !slices.Contains(on.ran[0].Environment, "MON_GROUP=web") || !slices.Contains(on.ran[0].Environment, "MON_SERVICE=ping") {
			t.Errorf("environment %q", on.ran[0].Environment)
		}
	})
}
