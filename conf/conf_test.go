package conf

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/integration/tools/golden"
)

// compareText makes cmp look at addresses as values.
var compareText = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
}

// mustGlob returns the files of a pattern, of which there must be some.
func mustGlob(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files %s (%v)", pattern, err)
	}
	return paths
}

// addFiles gives a fuzz test the reference and every configuration in testdata.
func addFiles(f *testing.F) {
	f.Add(Reference)
	for _, pattern := range []string{"testdata/ok/*.toml", "testdata/bad/*.toml"} {
		for _, path := range mustGlob(f, pattern) {
			src, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(src))
		}
	}
}

// Each good file has the output of Show beside it, which loads as the same
// configuration.
func TestLoadGood(t *testing.T) {
	for _, path := range append(mustGlob(t, "testdata/ok/*.toml"), "reference.toml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			shown := Show(c)
			golden.Compare(t, filepath.Join("testdata/ok", strings.TrimSuffix(filepath.Base(path), ".toml")+".golden"), string(shown))
			again, err := Parse("shown.toml", shown)
			if err != nil {
				t.Fatalf("load what Show wrote: %v", err)
			}
			if diff := cmp.Diff(c, again, compareText); diff != "" {
				t.Errorf("what Show wrote means something else (-first +again):\n%s", diff)
			}
		})
	}
}

// Each bad file has all of its errors beside it.
func TestLoadBad(t *testing.T) {
	for _, path := range mustGlob(t, "testdata/bad/*.toml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := Load(path)
			var errs Errors
			if !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("got %v, want Errors", err)
			}
			golden.Compare(t, strings.TrimSuffix(path, ".toml")+".err", errs.Error()+"\n")
		})
	}
}

// One mistake causes one error.
func TestOneMistakeOneError(t *testing.T) {
	for _, path := range mustGlob(t, "testdata/bad/*.toml") {
		if strings.HasPrefix(filepath.Base(path), "many") {
			continue
		}
		_, err := Load(path)
		if errs, ok := errors.AsType[Errors](err); ok && len(errs) != 1 {
			t.Errorf("%s: %d errors:\n%v", path, len(errs), err)
		}
	}
}

func TestErrorText(t *testing.T) {
	tests := []struct {
		name string
		err  Error
		want string
	}{
		{"whole", Error{"a.toml", 3, "vrrp.a.vrid", "is wrong"}, "a.toml:3: vrrp.a.vrid: is wrong"},
		{"no key", Error{"a.toml", 3, "", "is wrong"}, "a.toml:3: is wrong"},
		{"no line", Error{"a.toml", 0, "", "is wrong"}, "a.toml: is wrong"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.err.Error(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Errors are sorted by line number, and duplicates are removed.
func TestErrorsSorted(t *testing.T) {
	errs := Errors{
		{"b.toml", 1, "x", "m"},
		{"a.toml", 10, "x", "m"},
		{"a.toml", 9, "y", "m"},
		{"a.toml", 9, "x", "n"},
		{"a.toml", 9, "x", "m"},
		{"a.toml", 10, "x", "m"},
	}
	want := "a.toml:9: x: m\na.toml:9: x: n\na.toml:9: y: m\na.toml:10: x: m\nb.toml:1: x: m"
	if got := errs.sorted().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
