package status

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"holdfast/checker"
	"holdfast/docs/schema"
	"holdfast/integration/tools/golden"
	"holdfast/lvs"
	"holdfast/vrrp/histogram"
)

// schemaPath is the JSON Schema of `holdfast status --json`.
var schemaPath = filepath.Join("..", "..", "..", "docs", "status.schema.json")

// schemaNames has the types whose names in Go say too little without their package.
var schemaNames = schema.Names{
	reflect.TypeFor[checker.Status]():     "Check",
	reflect.TypeFor[checker.Result]():     "CheckResult",
	reflect.TypeFor[checker.Counts]():     "CheckCounts",
	reflect.TypeFor[checker.Latency]():    "CheckLatency",
	reflect.TypeFor[histogram.Snapshot](): "Histogram",
	reflect.TypeFor[lvs.ServiceStatus]():  "Service",
	reflect.TypeFor[lvs.ServerStatus]():   "Server",
	reflect.TypeFor[lvs.Counters]():       "IPVSCounters",
	reflect.TypeFor[lvs.Override]():       "Override",
	reflect.TypeFor[lvs.Order]():          "Order",
	reflect.TypeFor[lvs.WeightOrder]():    "WeightOrder",
}

// A field that is added, renamed or removed belongs in the schema. With -update the test
// rewrites the structure; the description of a new field is to be written by hand.
func TestSchemaHasEveryField(t *testing.T) {
	before, err := os.ReadFile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	after, wordless, err := schema.Update(before, reflect.TypeFor[Status](), schemaNames)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range wordless {
		t.Errorf("docs/status.schema.json has no description of %s", name)
	}
	if bytes.Equal(before, after) {
		return
	}
	if !*golden.Update {
		t.Fatal("docs/status.schema.json does not fit the Go types: run go test ./cmd/internal/status -run Schema -update, then describe what is new")
	}
	if err := os.WriteFile(schemaPath, after, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestSchemaHasTheVersion(t *testing.T) {
	s := canned()
	s.Version++
	if err := validate(t, s); err == nil || !strings.Contains(err.Error(), "/version") {
		t.Errorf("another version than %d was accepted: %v", Version, err)
	}
}

// TestSchemaAllowsOutput validates what a director says in every state of the tests.
func TestSchemaAllowsOutput(t *testing.T) {
	for name, s := range map[string]*Status{
		"an example of everything": canned(),
		"an idle director":         {Version: Version, Now: time.Now()},
	} {
		if err := validate(t, s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The strict schema must refuse what it does not know: otherwise no test holds it to the output.
func TestStrictSchemaRefuses(t *testing.T) {
	strict, err := schema.NewStrict(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	document, err := canned().JSON()
	if err != nil {
		t.Fatal(err)
	}
	for was, is := range map[string]string{
		`"director"`:         `"directors"`, // unknown, and one is missing
		`"vrid": 51`:         `"vrid": "51"`,
		`"state": "MASTER"`:  `"state": "master"`,
		`"neighbour"`:        `"neighbor"`,
		`"2026-03-01T12:00:`: `"yesterday at noon:`,
	} {
		changed := strings.Replace(string(document), was, is, 1)
		if changed == string(document) {
			t.Fatalf("the example has no %s", was)
		}
		if strict.Validate([]byte(changed)) == nil {
			t.Errorf("%s instead of %s was accepted", is, was)
		}
	}
}

func validate(t *testing.T, s *Status) error {
	t.Helper()
	strict, err := schema.NewStrict(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	document, err := s.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return strict.Validate(document)
}

// Numbers that have a unit in their name say it in their description.
func TestSchemaSaysTheUnit(t *testing.T) {
	text, err := os.ReadFile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	var root any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	found := 0
	eachProperty(root, func(name string, property map[string]any) {
		for suffix, unit := range map[string]string{"_ms": "millisecond", "_ns": "nanosecond", "_s": "second", "_per_second": "second", "bytes_in": "byte"} {
			if strings.HasSuffix(name, suffix) {
				found++
				if description, _ := property["description"].(string); !strings.Contains(description, unit) {
					t.Errorf("the description of %s does not say %s: %q", name, unit, description)
				}
			}
		}
	})
	if found < 10 {
		t.Errorf("only %d fields with a unit were found", found)
	}
}

func eachProperty(schema any, visit func(string, map[string]any)) {
	object, ok := schema.(map[string]any)
	if !ok {
		return
	}
	properties, _ := object["properties"].(map[string]any)
	for name, property := range properties {
		if p, ok := property.(map[string]any); ok {
			visit(name, p)
		}
	}
	for _, inner := range object {
		eachProperty(inner, visit)
	}
}
