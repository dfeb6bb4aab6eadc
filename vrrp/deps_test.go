package vrrp

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// forbidden lists what the package must not import, and why. A path stands for
// what is below it too.
var forbidden = []struct{ path, why string }{
	{"net", "sockets belong to the speaker's port; addresses are net/netip"},
	{"os", "the machine has no files, no environment and no process"},
	{"syscall", "the machine knows no kernel"},
	{"unsafe", "nothing here needs it"},
	{"io", "bytes come in slices"},
	{"log", "what people should know leaves as a Transition with its reason"},
	{"context", "nothing here waits"},
	{"sync", "a machine is driven by one goroutine"},
	{"math/rand", "VRRP needs no randomness; equal inputs must give equal runs"},
	{"crypto", "VRRP as of RFC 3768 and RFC 9568 has no cryptography"},
	{"runtime", "the machine does not know what runs it"},
	{"testing", "belongs to tests"},
	{"holdfast", "vrrp is the lowest room of the house"},
}

// allowed are the exceptions.
var allowed = []string{"net/netip"}

// clock lists what of package time would bring the real time in.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// impurities returns what in a file would tie the package to a real network,
// clock or scheduler.
func impurities(fset *token.FileSet, file *ast.File) []string {
	var found []string
	add := func(n ast.Node, format string, args ...any) {
		found = append(found, fmt.Sprintf("line %d: ", fset.Position(n.Pos()).Line)+fmt.Sprintf(format, args...))
	}
	for _, spec := range file.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		if slices.Contains(allowed, path) {
			continue
		}
		if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
			add(spec, "imports %s: the package has no dependencies", path)
		}
		for _, f := range forbidden {
			if path == f.path || strings.HasPrefix(path, f.path+"/") {
				add(spec, "imports %s: %s", path, f.why)
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			add(n, "starts a goroutine")
		case *ast.ChanType:
			add(n, "uses a channel")
		case *ast.SelectStmt:
			add(n, "selects")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, n.Sel.Name) {
				add(n, "uses time.%s: the time comes in as an argument", n.Sel.Name)
			}
		}
		return true
	})
	return found
}

func TestPurity(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, e.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		read++
		for _, what := range impurities(fset, file) {
			t.Errorf("%s %s", e.Name(), what)
		}
	}
	if read < 5 {
		t.Errorf("read only %d files", read)
	}
}

// The test above would pass if it saw nothing; this shows that it sees.
func TestPuritySees(t *testing.T) {
	const impure = `package p
import (
	"net"
	"net/netip"
	"log/slog"
	"golang.org/x/net/ipv4"
	"holdfast/netdev"
	"time"
)
func f(c chan int) {
	go f(nil)
	select {}
	_ = time.Now()
	_ = time.Second
}
`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "impure.go", impure, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, what := range impurities(fset, file) {
		line, _, _ := strings.Cut(what, ": the")
		line, _, _ = strings.Cut(line, ": sock")
		line, _, _ = strings.Cut(line, ": what")
		line, _, _ = strings.Cut(line, ": vrrp")
		got = append(got, line)
	}
	want := []string{
		"line 3: imports net",
		"line 5: imports log/slog",
		"line 6: imports golang.org/x/net/ipv4",
		"line 7: imports holdfast/netdev",
		"line 10: uses a channel",
		"line 11: starts a goroutine",
		"line 12: selects",
		"line 13: uses time.Now",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}
