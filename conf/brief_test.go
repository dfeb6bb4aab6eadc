package conf

import (
	"flag"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checkBrief fails unless ShowBrief writes c in a form that loads as c again.
func checkBrief(t *testing.T, c *Config, parse func(src string) (*Config, error)) string {
	t.Helper()
	full := string(Show(c))
	brief := string(ShowBrief(c))
	if diff := cmp.Diff(full, string(Show(c))); diff != "" {
		t.Fatalf("ShowBrief changed its argument (-before +after):\n%s", diff)
	}
	if strings.Contains(brief, notShown) {
		return brief // a secret is missing
	}
	again, err := parse(brief)
	if err != nil {
		t.Fatalf("load what ShowBrief wrote: %v\n%s", err, brief)
	}
	if diff := cmp.Diff(c, again, compareText); diff != "" {
		t.Fatalf("ShowBrief wrote another configuration (-first +again):\n%s\n%s", diff, brief)
	}
	return brief
}

func parseShown(src string) (*Config, error) { return Parse("shown.toml", []byte(src)) }

// briefSteps is how many keys TestShowBriefRandomWalk tries to remove from each file.
var briefSteps = flag.Int("brief.steps", 15, "steps of TestShowBriefRandomWalk for each file")

// What ShowBrief writes loads as the same configuration, and every line of it is
// needed: without it the file has errors or another meaning. Files share most keys,
// so a key of a table is tried in the first file that has it.
func TestShowBrief(t *testing.T) {
	tried := map[string]bool{}
	for _, path := range append(mustGlob(t, "testdata/ok/*.toml"), "reference.toml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.SplitAfter(checkBrief(t, c, parseShown), "\n")
			host, table := c.Director.Name, ""
			for i, line := range lines {
				if strings.HasPrefix(line, "[") {
					table = line
				}
				key, _, isKey := strings.Cut(line, " = ")
				if !isKey || line == "name = "+Quote(host)+"\n" || tried[table+key] {
					continue
				}
				tried[table+key] = true
				without := strings.Join(slices.Delete(slices.Clone(lines), i, i+1), "")
				if again, err := parseShown(without); err == nil && cmp.Equal(c, again, compareText) {
					t.Errorf("line %d is not needed: %s", i+1, line)
				}
			}
		})
	}
}

// A random walk removes keys from a full configuration, one after the other.
// ShowBrief must keep the meaning of every configuration that still loads.
func TestShowBriefRandomWalk(t *testing.T) {
	loaded := 0
	for n, path := range append(mustGlob(t, "testdata/ok/*.toml"), "reference.toml") {
		c, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(uint64(n), 7))
		lines := strings.SplitAfter(string(Show(c)), "\n")
		for range *briefSteps {
			at := random.IntN(len(lines))
			if strings.HasPrefix(lines[at], "[") {
				continue
			}
			fewer := slices.Delete(slices.Clone(lines), at, at+1)
			c, err := parseShown(strings.Join(fewer, ""))
			if err != nil {
				continue
			}
			lines = fewer
			loaded++
			checkBrief(t, c, parseShown)
		}
	}
	if loaded < 2**briefSteps {
		t.Errorf("only %d configurations were compared", loaded)
	}
}
