package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/cmd/internal/manual"
	"holdfast/conf"
	"holdfast/integration/tools/golden"
)

// The page of all keys is made from the reference.
func TestKeys(t *testing.T) {
	const page = "../../docs/keys.md"
	want := manual.Keys(conf.Reference)
	if *golden.Update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/keys.md is old; make it anew: go test ./cmd/holdfast -run TestKeys -update\n%s", diff)
	}
}

// Both pages come out of the command, dated by the environment.
func TestManual(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	for _, section := range []string{"5", "8"} {
		code, out, errs := call(t, t.TempDir(), "manual "+section)
		if want := `" ` + section + ` "2023-11-14" "holdfast`; code != exitWell || !strings.Contains(out, want) || errs != "" {
			t.Errorf("section %s: exit %d, %s; want %q in it", section, code, errs, want)
		}
	}
	t.Setenv("SOURCE_DATE_EPOCH", "soon")
	if code, _, errs := call(t, t.TempDir(), "manual 8"); code != exitFault || errs != "SOURCE_DATE_EPOCH is \"soon\", no time in seconds\n" {
		t.Errorf("exit %d, %q", code, errs)
	}
	if code, _, _ := call(t, t.TempDir(), "manual 1"); code != exitUsage {
		t.Errorf("exit %d", code)
	}
}
