package docs_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

func TestEventSchemaHasEveryKind(t *testing.T) {
	text, err := os.ReadFile("event.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var event struct {
		Properties struct {
			Kind struct {
				Enum []string `json:"enum"`
			} `json:"kind"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(text, &event); err != nil {
		t.Fatal(err)
	}
	got := event.Properties.Kind.Enum
	slices.Sort(got)
	if want := constants(t, "cmd/internal/event/event.go", "Kind"); !slices.Equal(got, want) {
		t.Errorf("event.schema.json has %v, the code %v", got, want)
	}
}
