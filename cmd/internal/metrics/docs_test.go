package metrics

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/integration/tools/golden"
)

// rows returns the rows of a table of metrics.
func rows(list []Metric) string {
	var b strings.Builder
	for _, m := range list {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, m.Type(), strings.Join(m.Labels, ", "), m.Help)
	}
	return b.String()
}

// docs/metrics.md lists every metric.
func TestDocumentation(t *testing.T) {
	path := filepath.Join("..", "..", "..", "docs", "metrics.md")
	before := read(t, path)
	after := withTable(t, withTable(t, before, "names of keepalived", KeepalivedList()), "metrics", List())
	if *golden.Update {
		if err := os.WriteFile(path, []byte(after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("docs/metrics.md (-is +should be; -update writes it):\n%s", diff)
	}
}

// withTable returns a text with the rows of a list between two marks.
func withTable(t *testing.T, text, mark string, list []Metric) string {
	t.Helper()
	before, rest, begun := strings.Cut(text, "<!-- "+mark+" -->\n")
	_, after, ended := strings.Cut(rest, "<!-- end of "+mark+" -->\n")
	if !begun || !ended {
		t.Fatalf("there is no place for %s", mark)
	}
	const head = "| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n"
	return before + "<!-- " + mark + " -->\n" + head + rows(list) + "<!-- end of " + mark + " -->\n" + after
}
