package metrics

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/integration/tools"
)

var monitoring = filepath.Join("..", "..", "..", "docs", "monitoring")

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// promtool runs Prometheus's tool with an input. The test fails if it complains.
func promtool(t *testing.T, input string, args ...string) {
	t.Helper()
	path, err := tools.Find("promtool")
	if err != nil {
		tools.Without(t, "netns", err)
	}
	c := exec.Command(path, args...)
	c.Stdin = strings.NewReader(input)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// The metrics have good names: promtool has nothing to say of them.
func TestPromtoolMetrics(t *testing.T) {
	text, _ := scrape(t, handler(canned(t), false), "")
	promtool(t, text, "check", "metrics")
}

// Every alert fires and is over again on recorded series.
func TestPromtoolRules(t *testing.T) {
	promtool(t, "", "check", "rules", filepath.Join(monitoring, "holdfast.rules.yml"))
	promtool(t, "", "test", "rules", filepath.Join(monitoring, "holdfast.rules.test.yml"))
}

var alertName = regexp.MustCompile(`(?m)^      - alert: (\w+)$`)

// A test of an alert says when it fires and when not.
func TestEveryAlertIsTested(t *testing.T) {
	tests := strings.Split(read(t, filepath.Join(monitoring, "holdfast.rules.test.yml")), "\n  - name: ")
	tested := map[string]bool{}
	for _, test := range tests[1:] {
		name, _, _ := strings.Cut(test, "\n")
		evaluations, fires := strings.Count(test, "alertname: "+name), strings.Count(test, "exp_alerts:")
		if evaluations != 3 || fires != 1 || !strings.HasSuffix(strings.TrimSpace(test), "alertname: "+name) {
			t.Errorf("%s: %d evaluations, %d of which fire; want one before, one that fires and one after", name, evaluations, fires)
		}
		tested[name] = true
	}
	alerts := alertName.FindAllStringSubmatch(read(t, filepath.Join(monitoring, "holdfast.rules.yml")), -1)
	if len(alerts) < 20 || len(alerts) != len(tested) {
		t.Errorf("%d alerts, %d tests", len(alerts), len(tested))
	}
	for _, a := range alerts {
		if !tested[a[1]] {
			t.Errorf("%s has no test", a[1])
		}
	}
}

var metricName = regexp.MustCompile(`\b(?:holdfast|process|go)_[a-z_0-9]+`)

// exists reports whether the exposition has a series of this name.
func exists(exposition, name string) bool {
	return regexp.MustCompile(`(?m)^` + name + `[ {]`).MatchString(exposition)
}

// The rules, their tests and the dashboard use metrics that exist.
func TestMonitoringUsesRealNames(t *testing.T) {
	exposition, _ := scrape(t, handler(canned(t), false), "")
	for _, file := range []string{"holdfast.rules.yml", "holdfast.rules.test.yml", "holdfast.dashboard.json"} {
		names := metricName.FindAllString(read(t, filepath.Join(monitoring, file)), -1)
		if len(names) < 25 {
			t.Errorf("%s: only %d names were found", file, len(names))
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if !exists(exposition, name) {
				t.Errorf("%s uses %s, which there is not", file, name)
			}
		}
	}
	if exists(exposition, "holdfast_unknown") {
		t.Error("everything exists")
	}
}

// dashboard is what the test needs of a Grafana dashboard.
type dashboard struct {
	Panels []struct {
		ID      int
		Title   string
		Type    string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr, LegendFormat string }
	}
}

// Every query of the dashboard is one, and no panel covers another.
func TestDashboard(t *testing.T) {
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, filepath.Join(monitoring, "holdfast.dashboard.json"))), &d); err != nil {
		t.Fatal(err)
	}
	rules := "groups:\n  - name: dashboard\n    rules:\n"
	queries := 0
	taken := map[[2]int]string{}
	for _, p := range d.Panels {
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q covers %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		for _, target := range p.Targets {
			expr := strings.ReplaceAll(target.Expr, "$__rate_interval", "1m")
			queries++
			rules += fmt.Sprintf("      - record: query:%d\n        expr: '%s'\n", queries, strings.ReplaceAll(expr, "'", "''"))
		}
	}
	if queries < 30 {
		t.Errorf("only %d queries", queries)
	}
	path := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "", "check", "rules", path)
}
