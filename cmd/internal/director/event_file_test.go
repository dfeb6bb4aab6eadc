package director

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
)

// A journal file that could not be read at the start is written after a reload, once
// somebody has mended it.
func TestReloadTriesJournalAgain(t *testing.T) {
	b, _ := alone(t)
	path := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.Symlink("elsewhere", path); err != nil {
		t.Fatal(err)
	}
	var told []status.Problem
	f := &eventFile{base: b, path: path, events: event.NewJournal(16, 0), problems: func(all []status.Problem) { told = all }}
	f.load(false)
	f.starts = []event.Start{event.NewStart([6]byte{1}, 0)}
	f.begin()
	c := &conf.Config{}
	c.Director.Journal = path
	if f.apply(c); len(told) != 0 {
		t.Errorf("still %v", told) // the writer says what it cannot open
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f.events.Append(event.Event{At: time.Now(), Kind: event.KindConfig})
	f.close()
	if content, err := readJournal(path); err != nil || len(content.Events) != 1 {
		t.Errorf("the file has %+v, %v", content, err)
	}
}
