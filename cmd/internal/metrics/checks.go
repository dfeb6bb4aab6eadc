package metrics

import (
	"strings"
	"time"

	"holdfast/checker"
)

type check = checker.Status

var checkMetrics = table[check]{
	common: []string{"service", "server", "check", "type"},
	columns: []column[check]{
		some("holdfast_check_up", "1 if the check says that the server is well. No sample before the first verdict, and while the check is not made.",
			func(c *check) (float64, bool) {
				return number(c.State == checker.Up), c.State == checker.Up || c.State == checker.Down
			}),
		counters("holdfast_check_results_total", "Attempts by outcome. unsent: this director could not send. inconclusive: this director lacked something, so the attempt said nothing of the server.",
			[]string{"outcome"}, func(c *check, add func(float64, ...string)) {
				add(float64(c.Counts.Failures-min(c.Counts.Unsent, c.Counts.Failures)), "failure")
				add(float64(c.Counts.Successes), "success")
				if c.Counts.Unsent > 0 {
					add(float64(c.Counts.Unsent), "unsent")
				}
				if c.Counts.Inconclusive > 0 {
					add(float64(c.Counts.Inconclusive), "inconclusive")
				}
			}),
		some("holdfast_check_last_duration_seconds", "How long the last attempt took.", func(c *check) (float64, bool) {
			if c.Last == nil {
				return 0, false
			}
			return c.Last.Took.Seconds(), true
		}),
		moment("holdfast_check_last_failure_timestamp_seconds", "When the last attempt failed that did. No sample without one.", func(c *check) time.Time {
			if len(c.Failures) == 0 {
				return time.Time{}
			}
			return c.Failures[0].At
		}),
		counters("holdfast_check_overruns_total", "Attempts that took longer than the interval. No sample without one.", nil,
			func(c *check, add func(float64, ...string)) {
				if c.Counts.Overruns > 0 {
					add(float64(c.Counts.Overruns))
				}
			}),
		moment("holdfast_check_certificate_expiry_timestamp_seconds", "When the certificate that the server showed last ends to be valid.",
			func(c *check) time.Time { return c.CertificateEnds }),
	},
}

// checkLabels takes the ID apart: "service/server" or "service/server#check".
func checkLabels(c *check) []string {
	service, server, _ := strings.Cut(c.Server, "/")
	_, name, _ := strings.Cut(strings.TrimPrefix(c.ID, c.Server), "#")
	return []string{service, server, name, c.Kind}
}
