package lvs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The package's decisions must depend on its inputs alone.
func TestPackageIsPure(t *testing.T) {
	allowed := map[string]bool{
		"cmp": true, "errors": true, "fmt": true, "maps": true, "net/netip": true, "slices": true, "strconv": true, "strings": true,
		"time": true, // for durations; clockUses finds uses of the clock
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			if path, _ := strconv.Unquote(i.Path.Value); !allowed[path] {
				t.Errorf("%s imports %s", name, path)
			}
		}
		for _, use := range clockUses(file) {
			t.Errorf("%s uses %s", name, use)
		}
	}
}

// clockUses returns the uses of the clock and of goroutines in a file.
func clockUses(file *ast.File) []string {
	clock := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}
	var uses []string
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			uses = append(uses, "a goroutine")
		case *ast.SelectorExpr:
			if p, ok := n.X.(*ast.Ident); ok && p.Name == "time" && slices.Contains(clock, n.Sel.Name) {
				uses = append(uses, "time."+n.Sel.Name)
			}
		}
		return true
	})
	return uses
}
