package conf

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
)

// places writes a node as one line for each path: "a.b[0] 3".
func places(n *node, path string) []string {
	var all []string
	if path != "" {
		all = append(all, fmt.Sprintf("%s %d", path, n.line))
	}
	for _, key := range sortedKeys(n) {
		all = append(all, places(n.find(key), dotted(path, quoteKey(key)))...)
	}
	for i, item := range n.items {
		all = append(all, places(item, fmt.Sprintf("%s[%d]", path, i))...)
	}
	return all
}

func TestLocate(t *testing.T) {
	tests := []struct {
		name string
		src  string
		want string
	}{
		{"nothing", "# a comment\n\n", ""},
		{"key", "\na = 1 # b = 2\n", "a 2"},
		{"no final newline", "a = 1\nb = 2", "a 1, b 2"},
		{"crlf", "a = 1\r\nb = 2\r\n", "a 1, b 2"},
		{"table", "[a]\nb = 1\n\n[c]\n\td = 1\n", "a 1, a.b 2, c 4, c.d 5"},
		{"sub-table first", "[a.b]\nx = 1\n[a]\ny = 1\n", "a 3, a.b 1, a.b.x 2, a.y 4"},
		{"array of tables", "[[a]]\nb = 1\n[[a]]\nb = 2\n", "a 1, a[0] 1, a[0].b 2, a[1] 3, a[1].b 4"},
		{
			"nested array of tables", "[[a]]\n[a.c]\nx=1\n[[a.b]]\ny=1\n[[a.b]]\ny=2\n[[a]]\n[[a.b]]\ny=3\n",
			"a 1, a[0] 1, a[0].b 4, a[0].b[0] 4, a[0].b[0].y 5, a[0].b[1] 6, a[0].b[1].y 7, a[0].c 2, a[0].c.x 3, " +
				"a[1] 8, a[1].b 9, a[1].b[0] 9, a[1].b[0].y 10",
		},
		{"dotted key", "a.b.c = 1\na . d = 2\n", "a 1, a.b 1, a.b.c 1, a.d 2"},
		{
			"quoted keys", "\"a b\" = 1\n'c.d' = 2\n[\"e=#]\".'f']\n\"\" = 3\n",
			`"a b" 1, "c.d" 2, "e=#]" 3, "e=#]".f 3, "e=#]".f."" 4`,
		},
		{"escapes in keys", `"\u0061\t\x62\"\U00000063" = 1`, `"a\u0009b\"c" 1`},
		{"inline table", "a = { b = 1, \"c\" = { d = 2 } }\ne = 1\n", "a 1, a.b 1, a.c 1, a.c.d 1, e 2"},
		{"inline table on lines", "a = {\n  b = 1, # x\n  c = 2,\n}\nd = 1\n", "a 1, a.b 2, a.c 3, d 5"},
		{"array", "a = [1, 2]\nb = 1\n", "a 1, a[0] 1, a[1] 1, b 2"},
		{"array on lines", "a = [\n  1, # ]\n\n  2,\n]\nb = 1\n", "a 1, a[0] 2, a[1] 4, b 6"},
		{"array of arrays", "a = [[1],\n[2, 3]]\n", "a 1, a[0] 1, a[0][0] 1, a[1] 2, a[1][0] 2, a[1][1] 2"},
		{"array of inline tables", "a = [{b = 1},\n{b = [2]}]\n", "a 1, a[0] 1, a[0].b 1, a[1] 2, a[1].b 2, a[1].b[0] 2"},
		{"strings that look like more", "a = \"x # \\\" = [\"\nb = 'y \\'\nc = 1\n", "a 1, b 2, c 3"},
		{"strings on lines", "a = \"\"\"\n[x]\ny = 1 \\\"\"\"\n\"\"\"\nb = '''\n\\'''\nc = 1\n", "a 1, b 5, c 7"},
		{"quotes at the end of a string", "a = \"\"\"x\"\"\"\"\"\nb = ''''y''''\nc = 1\n", "a 1, b 2, c 3"},
		{"empty strings", "a = \"\"\nb = ''\nc = \"\"\"\"\"\"\nd = 1\n", "a 1, b 2, c 3, d 4"},
		{"strings in an array", "a = [\"x]\",\n'''\n]''', \"\"\"\n\"\"\"]\nb = 1\n", "a 1, a[0] 1, a[1] 2, a[2] 3, b 5"},
		{"dates and numbers", "a = 1979-05-27 07:32:00 # x\nb = 1e6\nc = [1979-05-27, +inf]\n", "a 1, b 2, c 3, c[0] 3, c[1] 3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var tree map[string]any
			if _, err := toml.Decode(tt.src, &tree); err != nil {
				t.Fatalf("the test's TOML is bad: %v", err)
			}
			root, _ := locate(tt.src)
			got := strings.Join(places(root, ""), ", ")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			agree(t, tree, root, "")
		})
	}
}

// agree checks that each value has a position, and each position a value.
func agree(t *testing.T, data any, n *node, path string) {
	t.Helper()
	if n.line < 1 {
		t.Errorf("%s: line %d", path, n.line)
	}
	var items []any
	switch data := data.(type) {
	case map[string]any:
		if diff := cmp.Diff(slices.Sorted(maps.Keys(data)), sortedKeys(n)); diff != "" {
			t.Errorf("%q has keys (-toml +located):\n%s", path, diff)
			return
		}
		for key, v := range data {
			agree(t, v, n.find(key), dotted(path, quoteKey(key)))
		}
		return
	case []map[string]any:
		for _, item := range data {
			items = append(items, item)
		}
	case []any:
		items = data
	}
	if len(items) != len(n.items) {
		t.Errorf("%q has %d elements, located %d", path, len(items), len(n.items))
		return
	}
	for i, item := range items {
		agree(t, item, n.items[i], fmt.Sprintf("%s[%d]", path, i))
	}
}

// sortedKeys returns the keys of a table.
func sortedKeys(n *node) []string {
	var all []string
	for _, c := range n.keys {
		all = append(all, c.key)
	}
	slices.Sort(all)
	return all
}

// A value without a position has the position of the table or list around it.
func TestJoinWithoutPlaces(t *testing.T) {
	tree := map[string]any{"a": []any{map[string]any{"b": int64(1)}}}
	a := joinTable("x.toml", tree, &node{line: 7})["a"]
	b := a.data.([]value)[0].data.(map[string]value)["b"]
	if a.line != 7 || b.line != 7 || b.data != int64(1) {
		t.Errorf("got %+v", a)
	}
}

// FuzzLocate: locate and directorExcerpt do not panic, and of what the TOML library accepts they
// find the same keys and elements.
func FuzzLocate(f *testing.F) {
	addFiles(f)
	f.Fuzz(func(t *testing.T, src string) {
		locate(src)
		directorExcerpt(src)
		var tree map[string]any
		g := gatherer{reader: &reader{}}
		if _, ok := g.parse("fuzz.toml", src); !ok {
			return
		}
		src = strings.TrimPrefix(src, "\ufeff")
		if _, err := toml.Decode(src, &tree); err != nil {
			t.Fatal(err)
		}
		root, _ := locate(src)
		agree(t, tree, root, "")
		wantExcerpt(t, src, tree)
	})
}
