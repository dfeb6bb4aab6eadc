package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The changelog has each section of a version once, and no line twice: merges of branches
// that both moved lines bring them back.
func TestChangelogSaysItOnce(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	version := ""
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "## ") {
			version = line
		}
		if !strings.HasPrefix(line, "- ") && !strings.HasPrefix(line, "#") {
			continue
		}
		if seen[version+line] {
			t.Errorf("twice: %s", line)
		}
		seen[version+line] = true
	}
	if version == "" || len(seen) < 10 {
		t.Errorf("only %d lines found", len(seen))
	}
}
