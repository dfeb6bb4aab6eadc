package status

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"holdfast/checker"
)

// checks writes the checks. With history it adds the latest results of each, and every
// failure that is kept, instead of the latest failure of those that are not up.
func (s *Status) checks(b *page, history bool) {
	b.WriteString("\nCHECKS\n")
	if len(s.Checks) == 0 {
		b.WriteString("  none\n")
		return
	}
	t := table{brief: true} // the services have those that are well too
	t.header("SERVER", "TYPE~5", "ADDRESS~6", "STATE", ">FOR", ">LAST~7", ">TOOK~8", ">P50~1", ">P99~2", ">ATTEMPTS~3", ">FAILURES~4")
	for i := range s.Checks {
		c := &s.Checks[i]
		since, last, took, p50, p99 := "-", "-", "-", "-", "-"
		if !c.Since.IsZero() {
			since = s.ago(c.Since)
		}
		if c.Last != nil {
			last, took = s.ago(c.Last.At)+" ago", Latency(c.Last.Took)
		}
		if l := c.Latency; l != nil {
			p50, p99 = Latency(l.P50), Latency(l.P99)
		}
		t.row(c.ID, c.Kind, asked(c.Address), string(c.State), since, last, took, p50, p99,
			strconv.FormatUint(c.Counts.Attempts, 10), strconv.FormatUint(c.Counts.Failures, 10))
		t.unwell(c.State == checker.Down)
		s.checkNotes(&t, c, history)
	}
	t.write(b)
}

func (s *Status) checkNotes(t *table, c *checker.Status, history bool) {
	if c.NotAsked != "" {
		t.note("not asked: " + c.NotAsked)
	}
	if c.Weight != nil {
		t.note("says weight " + c.Weight.String())
	}
	shown := c.Failures
	switch {
	case history && c.Recent != "":
		t.note("results, latest last: " + c.Recent)
	case c.State == checker.Up:
		shown = nil
	default:
		shown = shown[:min(1, len(shown))]
	}
	for i := range shown {
		t.note(fmt.Sprintf("%s ago: %s", s.ago(shown[i].At), shown[i].Reason))
	}
}

// Latency returns how long something took, as exactly as people want it.
func Latency(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }

// asked returns what a check asks; "-" if it asks nobody.
func asked(a netip.AddrPort) string {
	if !a.IsValid() {
		return "-"
	}
	return a.String()
}
