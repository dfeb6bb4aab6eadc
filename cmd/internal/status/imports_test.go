package status_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Packages that show the status or receive events do not import the control socket.
func TestWhoImportsWhom(t *testing.T) {
	for room, allowed := range map[string][]string{
		"event":       nil,
		"status":      nil,
		"notify":      {"event", "program"},
		"reconnect":   nil,
		"snmp":        {"event", "status", "reconnect", "snmp/agentx"},
		"snmp/agentx": nil,
		"dbus":        {"event", "status", "reconnect"},
		"control":     {"event", "status"},
		"web":         {"event", "status"},
		"metrics":     {"status"},
	} {
		files, err := filepath.Glob(filepath.Join("..", room, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s has no files: %v", room, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range f.Imports {
				path, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				imported, ours := strings.CutPrefix(path, "holdfast/cmd/internal/")
				if ours && !slices.Contains(allowed, imported) {
					t.Errorf("%s imports %s", file, path)
				}
			}
		}
	}
}
