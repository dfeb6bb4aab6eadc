// Package docs_test holds the documentation to the source: files and links that
// it names exist, and it lists every event, exit code and command.
package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"holdfast/conf"
)

const root = ".."

// pages returns the text of every page of the documentation by its path, which
// is relative to the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range paths {
		paths[i] = filepath.Join("docs", path)
	}
	paths = append(paths, "README.md", "CONTRIBUTING.md", "SECURITY.md", "findings/README.md")
	texts := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = string(text)
	}
	return texts
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

var (
	// link is [text](page#anchor); one of the two may be missing.
	link = regexp.MustCompile(`\]\(([^)#\s]*)(?:#([^)\s]+))?\)`)
	// heading is the text of a heading. A comment in an example looks like one.
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	// punctuation is what an anchor lacks of its heading.
	punctuation = regexp.MustCompile(`[^\pL\pN _-]`)
	// sourceFile is a path in backticks that ends like a source file of ours.
	sourceFile = regexp.MustCompile("`([a-zA-Z0-9_./-]+/[a-zA-Z0-9_.-]+\\.(?:go|toml|sh|md|service))`")
	// folder is a path in backticks below one of our top folders.
	folder = regexp.MustCompile("`((?:\\./)?(?:checker|cmd|conf|docs|findings|integration|lvs|netdev|vrrp)/[a-zA-Z0-9_/-]*)`")
)

func TestLinksLeadSomewhere(t *testing.T) {
	for page, text := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			if !exists(filepath.Join(root, target)) {
				t.Errorf("%s: the link to %s leads nowhere", page, m[1])
			} else if m[2] != "" && !slices.Contains(anchors(t, target), m[2]) {
				t.Errorf("%s: %s has no heading #%s", page, target, m[2])
			}
		}
	}
}

// anchors returns the names by which links lead to the headings of a page.
func anchors(t *testing.T, page string) (names []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range heading.FindAllStringSubmatch(string(text), -1) {
		names = append(names, strings.ReplaceAll(punctuation.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return names
}

// A walk that names a file that was moved misleads.
func TestNamedFilesExist(t *testing.T) {
	found := 0
	for page, text := range pages(t) {
		for _, pattern := range []*regexp.Regexp{sourceFile, folder} {
			for _, m := range pattern.FindAllStringSubmatch(text, -1) {
				if strings.HasPrefix(m[1], "/") || strings.HasPrefix(m[1], "~") {
					continue
				}
				found++
				if !exists(filepath.Join(root, m[1])) {
					t.Errorf("%s: there is no %s", page, m[1])
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d names of files were found: does this test still recognize them?", found)
	}
}

// constants returns the values of the constants of a Go file whose names have a
// prefix.
func constants(t *testing.T, path, prefix string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range spec.Names {
			if strings.HasPrefix(name.Name, prefix) && i < len(spec.Values) {
				literal, ok := spec.Values[i].(*ast.BasicLit)
				if !ok {
					t.Errorf("%s: the value of %s is no literal", path, name.Name)
					continue
				}
				values = append(values, strings.Trim(literal.Value, `"`))
			}
		}
		return true
	})
	if len(values) == 0 {
		t.Fatalf("%s has no constants %s…", path, prefix)
	}
	slices.Sort(values)
	return values
}

// rows returns the first column of the table below a line of the header.
func rows(t *testing.T, header string) []string {
	t.Helper()
	text, err := os.ReadFile("exit-codes-and-events.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), header+"\n")
	if !ok {
		t.Fatalf("there is no table %q", header)
	}
	var first []string
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cell := strings.Trim(strings.Split(line, "|")[1], " `")
		if !strings.HasPrefix(cell, "-") {
			first = append(first, cell)
		}
	}
	slices.Sort(first)
	return first
}

func TestEveryEventIsDocumented(t *testing.T) {
	want := constants(t, "cmd/internal/event/event.go", "Kind")
	if got := rows(t, "| kind | when | subject | `from`, `to` |"); !slices.Equal(got, want) {
		t.Errorf("the table has %v, the code %v", got, want)
	}
}

func TestEveryExitCodeIsDocumented(t *testing.T) {
	want := constants(t, "cmd/holdfast/main.go", "exit")
	if got := rows(t, "| code | meaning |"); !slices.Equal(got, want) {
		t.Errorf("the table has %v, the code %v", got, want)
	}
	for _, code := range want {
		if _, err := strconv.Atoi(code); err != nil {
			t.Errorf("%s is no number", code)
		}
	}
}

// use is the name of a command in its declaration; config and realserver are groups
// of others.
var use = regexp.MustCompile(`Use:\s+"([a-z]+)`)

func TestEveryCommandIsDocumented(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "cmd/holdfast/*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range use.FindAllStringSubmatch(string(source), -1) {
			name, group := m[1], strings.TrimSuffix(filepath.Base(path), ".go")
			switch {
			case name == "holdfast" || name == "config" || name == "realserver" || name == "reference" || name == "show":
			case group == "realserver":
				want = append(want, group+" "+name)
			default:
				want = append(want, name)
			}
		}
	}
	want = append(want, "config show")
	slices.Sort(want)
	if got := rows(t, "| command | exits 1 when |"); !slices.Equal(got, want) {
		t.Errorf("the table has %v, the code %v", got, want)
	}
}

// The configurations that pages show are valid as they stand, where the files of their
// secrets exist.
func TestConfigurationsAreValid(t *testing.T) {
	block := regexp.MustCompile("(?s)```toml\n(.*?)```")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("a long secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	secrets := regexp.MustCompile(`(_file +)= "/etc/holdfast/[^"]*"`)
	found := 0
	for page, text := range pages(t) {
		for _, m := range block.FindAllStringSubmatch(text, -1) {
			found++
			path := filepath.Join(t.TempDir(), "holdfast.toml")
			if err := os.WriteFile(path, secrets.ReplaceAll([]byte(m[1]), []byte("${1}= \""+secret+"\"")), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := conf.Load(path); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
	if found == 0 {
		t.Error("no page shows a configuration")
	}
}

func TestEveryFindingIsListed(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join(root, "findings/*.sh"))
	if err != nil {
		t.Fatal(err)
	}
	text := pages(t)["findings/README.md"]
	for _, path := range scripts {
		if name := filepath.Base(path); !strings.Contains(text, "`"+name+"`") {
			t.Errorf("findings/README.md does not list %s", name)
		}
	}
}
