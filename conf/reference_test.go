package conf

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// uncommented returns the reference with its commented defaults made active.
func uncommented() string {
	return regexp.MustCompile(`(?m)^#([a-z_]+ *= )`).ReplaceAllString(Reference, "$1")
}

// The defaults that the reference shows are the defaults of the code.
func TestReferenceDefaults(t *testing.T) {
	as, err := Parse("reference.toml", []byte(Reference))
	if err != nil {
		t.Fatal(err)
	}
	out := uncommented()
	if strings.Count(out, "\n#") >= strings.Count(Reference, "\n#") {
		t.Fatal("no default was found in the reference")
	}
	written, err := Parse("reference.toml", []byte(out))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(as, written, compareText); diff != "" {
		t.Errorf("defaults and the reference disagree (-default +reference):\n%s", diff)
	}
}

// The reference has every key of every table. It has no unknown keys, because it
// would not load with one.
func TestReferenceComplete(t *testing.T) {
	r := newReader(nowhere(uncommented()))
	root := r.gather("fuzz.toml")
	r.read(root)
	if len(r.errs) > 0 {
		t.Fatal(r.errs)
	}
	var shown []string
	for key := range schemaOf(root, "") {
		shown = append(shown, key)
	}
	// Their keys are those of service.check, service.notify and group.resource.
	repeated := []string{"service.server.check.", "service.server.notify.", "vrrp.resource", "vrrp.fence"}
	known := map[string]bool{}
	delete(r.schema[""].keys, "include") // it is carried out before the tables are read
	for table, schema := range r.schema {
		for key := range schema.keys {
			known[dotted(table, key)] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(known)) {
		isRepeated := slices.ContainsFunc(repeated, func(p string) bool { return strings.HasPrefix(key, p) })
		if !isRepeated && !slices.Contains(shown, key) {
			t.Errorf("the reference does not show %s", key)
		}
	}
	if len(known) < 100 {
		t.Errorf("only %d keys are known", len(known))
	}
}

// schemaOf returns the paths of all keys below v, without their indices.
func schemaOf(v value, path string) map[string]bool {
	paths := make(map[string]bool)
	switch data := v.data.(type) {
	case map[string]value:
		for key, item := range data {
			paths[dotted(path, key)] = true
			maps.Copy(paths, schemaOf(item, dotted(path, key)))
		}
	case []value:
		for _, item := range data {
			maps.Copy(paths, schemaOf(item, path))
		}
	}
	return paths
}

// The top-level key include is read before the others.
func TestReferenceShowsInclude(t *testing.T) {
	if !strings.Contains(Reference, "\n#include = []\n") {
		t.Error("the reference does not show include")
	}
}
