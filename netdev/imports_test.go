package netdev

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/netdev/internal/testns"
)

// rooms lists which packages of this module each package below netdev may
// import outside its tests. None of them takes decisions, so none of them knows
// a package that does.
var rooms = map[string][]string{
	".":         {"holdfast/netdev/frame", "holdfast/netdev/rtnl", "holdfast/netdev/policy", "holdfast/netdev/statefile", "holdfast/netdev/sysctl"},
	"frame":     nil,
	"port":      {"holdfast/netdev/frame"},
	"rtnl":      nil,
	"statefile": nil,
	"sysctl":    nil,
	"policy":    {"holdfast/netdev/rtnl"},
}

func TestImports(t *testing.T) {
	for room, allowed := range rooms {
		files, err := filepath.Glob(filepath.Join(room, "*.go"))
		testns.Must(t, err)
		read := 0
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			testns.Must(t, err)
			read++
			for _, i := range parsed.Imports {
				path := strings.Trim(i.Path.Value, `"`)
				if strings.HasPrefix(path, "holdfast/") && !slices.Contains(allowed, path) {
					t.Errorf("%s imports %s", file, path)
				}
			}
		}
		if read == 0 {
			t.Errorf("no file in %s", room)
		}
	}
	folders, err := os.ReadDir(".")
	testns.Must(t, err)
	for _, f := range folders {
		if _, known := rooms[f.Name()]; f.IsDir() && !known && f.Name() != "internal" && f.Name() != "testdata" {
			t.Errorf("the room %s is not in the list", f.Name())
		}
	}
}
