package tools

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A said is a T that notes how a test ended.
type said struct{ how string }

func (*said) Helper()          {}
func (s *said) Fatal(a ...any) { s.end("failed: " + fmt.Sprint(a...)) }
func (s *said) Skip(a ...any)  { s.end("skipped: " + fmt.Sprint(a...)) }

func (s *said) end(how string) {
	if s.how == "" { // as with a real test, what comes after the end does not count
		s.how = how
	}
}

func TestWithout(t *testing.T) {
	t.Setenv("HOLDFAST_REQUIRE", "netns, web")
	for capability, want := range map[string]string{
		"netns": "failed: why",
		"web":   "failed: why",
		"ipvs":  "skipped: why",
		"typo":  `failed: capability "typo" is not among `,
	} {
		var s said
		Without(&s, capability, "why")
		if !strings.HasPrefix(s.how, want) {
			t.Errorf("without %s a test %s, want %s", capability, s.how, want)
		}
	}
}

// make ci requires every capability, so that no test is skipped there unnoticed.
func TestEveryCapabilityIsRequired(t *testing.T) {
	root, err := ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, capability := range capabilities {
		if !regexp.MustCompile(`HOLDFAST_REQUIRE *=.*\b` + capability + `\b`).Match(makefile) {
			t.Errorf("the Makefile does not require %q", capability)
		}
	}
}
