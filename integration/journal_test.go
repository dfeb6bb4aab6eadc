package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/integration/lab"
)

// cursors returns the events of a command's output with their cursors.
func cursors(t *testing.T, text string) map[uint64]string {
	t.Helper()
	found := map[uint64]string{}
	for line := range strings.Lines(text) {
		var seq uint64
		if _, err := fmt.Sscanf(line, `{"seq":%d,`, &seq); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		_, rest, _ := strings.Cut(line, `"cursor":"`)
		found[seq], _, _ = strings.Cut(rest, `"`)
	}
	return found
}

// written waits until the file has everything that the daemon tells.
func written(t *testing.T, d *lab.Daemon) lab.Journal {
	t.Helper()
	var told lab.Journal
	lab.Wait(t, 10*time.Second, "the journal is in the file", func() (string, bool) {
		told = events(t, d, 0)
		text := read(t, filepath.Join(d.RuntimeDir(), "events.jsonl"))
		return text, strings.Contains(text, fmt.Sprintf(`{"seq":%d,`, told.Last()))
	})
	return told
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func decoded(t *testing.T, text string) lab.Journal {
	t.Helper()
	j, err := lab.ReadJournal(text)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// The journal outlasts a crash, an upgrade and a stop: each event is there once, with the
// number that it had. While no daemon runs, events reads the file.
func TestJournalOutlastsTheDaemon(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	d := installed(t, p, unhurried)[0]
	d.KeepsJournal = true
	d.AwaitState(t, "MASTER")
	before := written(t, d)
	stdout, _, err := d.CLI("events", "--json")
	if err != nil {
		t.Fatal(err)
	}
	cursor := cursors(t, stdout)[before.Last()]

	d.Crash()
	stdout, stderr, err := d.CLI("events", "--json", "-c", d.ConfigPath())
	if err == nil || !strings.Contains(stderr, "holdfast is not running") || !strings.Contains(stderr, "these events are from") {
		t.Errorf("without a daemon: %v, %s", err, stderr)
	}
	if diff := cmp.Diff(before, decoded(t, stdout)); diff != "" {
		t.Errorf("what the file has (-daemon +file):\n%s", diff)
	}

	d.Restart()
	d.AwaitState(t, "MASTER")
	obeyed(t, d, "upgrade")
	after := written(t, d)
	if diff := cmp.Diff(before, after[:len(before)]); diff != "" {
		t.Errorf("before the crash, and after it (-want +got):\n%s", diff)
	}
	for i, e := range after {
		if e.Seq != uint64(i)+1 {
			t.Fatalf("event %d is where %d should be:\n%v", e.Seq, i+1, after)
		}
	}
	stdout, _, err = d.CLI("events", "--json", "--since", cursor)
	if diff := cmp.Diff(after[len(before):], decoded(t, stdout)); err != nil || diff != "" {
		t.Errorf("since the cursor of before the crash: %v (-want +got):\n%s", err, diff)
	}
	if d.Stop() != 0 {
		t.Error("the daemon did not stop cleanly")
	}
	stdout, _, _ = d.CLI("events", "--json", "-c", d.ConfigPath())
	whole := decoded(t, stdout)
	if diff := cmp.Diff(after, whole[:len(after)]); diff != "" || len(whole) == len(after) {
		t.Errorf("after the stop there are %d events, before it %d (-want +got):\n%s", len(whole), len(after), diff)
	}
}
