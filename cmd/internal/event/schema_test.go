package event

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"holdfast/docs/schema"
	"holdfast/integration/tools/golden"
)

// schemaPath is the JSON Schema of `holdfast events --json`.
var schemaPath = filepath.Join("..", "..", "..", "docs", "event.schema.json")

// The description of a new field is to be written by hand.
func TestSchemaHasEveryField(t *testing.T) {
	before, err := os.ReadFile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	after, wordless, err := schema.Update(before, reflect.TypeFor[Event](), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range wordless {
		t.Errorf("docs/event.schema.json has no description of %s", name)
	}
	if bytes.Equal(before, after) {
		return
	}
	if !*golden.Update {
		t.Fatal("docs/event.schema.json does not fit the Go types: run go test ./cmd/internal/event -run Schema -update, then describe what is new")
	}
	if err := os.WriteFile(schemaPath, after, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestSchemaAllowsEvents(t *testing.T) {
	strict, err := schema.NewStrict(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	entry := []AlertEntry{{Kind: KindServer, Subject: "web/rs1", Reason: "status 503", Since: now, Failures: 2, Notices: 1}}
	for _, e := range []Event{
		{Seq: 1, At: now, Kind: KindConfig, To: "reloaded"},
		{Seq: 2, At: now, Kind: KindInstance, Subject: "outside", From: Backup, To: Master, Reason: "no advert heard", Detail: map[string]string{"priority": "150"}},
		{At: now, Kind: KindService, Subject: "web", To: Up, Snapshot: true},
		{Seq: 3, At: now, Kind: KindAlert, Subject: "web", To: Down, Alert: &Alert{Down: entry, DownTotal: 1, Up: entry, UpTotal: 1}},
	} {
		line, err := e.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := strict.Validate(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, line := range []string{`{}`, `{"seq":1,"at":"2026-03-01T12:00:00Z","kind":"weather"}`, `{"seq":1,"at":"2026-03-01T12:00:00Z","kind":"config","colour":"red"}`} {
		if strict.Validate([]byte(line)) == nil {
			t.Errorf("%s was accepted", line)
		}
	}
}
