package conf

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nowhere is an environment without files.
func nowhere(src string) environment {
	return environment{
		readFile: func(path string) ([]byte, error) {
			if path == "fuzz.toml" {
				return []byte(src), nil
			}
			return nil, os.ErrNotExist
		},
		glob:     func(string) ([]string, error) { return nil, nil },
		realPath: func(path string) string { return path },
		hostname: func() (string, error) { return "host", nil },
	}
}

// FuzzLoad: nothing panics; every error has a place and a message; what loads
// is written by Show and by ShowBrief in forms that load as the same.
func FuzzLoad(f *testing.F) {
	addFiles(f)
	f.Fuzz(func(t *testing.T, src string) {
		c, _, err := load("fuzz.toml", nowhere(src))
		if err != nil {
			errs, ok := errors.AsType[Errors](err)
			if !ok || len(errs) == 0 || c != nil {
				t.Fatalf("got %v and %T %v", c, err, err)
			}
			for _, e := range errs {
				if e.File != "fuzz.toml" || e.Line < 1 || e.Message == "" {
					t.Errorf("an error without its place: %#v", e)
				}
			}
			return
		}
		shown := Show(c)
		if strings.Contains(string(shown), notShown) {
			return // that is not all of it
		}
		checkBrief(t, c, func(src string) (*Config, error) {
			c, _, err := load("fuzz.toml", nowhere(src))
			return c, err
		})
		again, _, err := load("fuzz.toml", nowhere(string(shown)))
		if err != nil {
			t.Fatalf("load what Show wrote: %v\n%s", err, shown)
		}
		if diff := cmp.Diff(c, again, compareText); diff != "" {
			t.Errorf("what Show wrote means something else (-first +again):\n%s\n%s", diff, shown)
		}
	})
}
