package netdev

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A pipe, a link or a directory in place of the journal is an error. Nobody waits
// for a pipe to be written: a release that waits ignores SIGTERM.
func TestJournalIsARegularFile(t *testing.T) {
	for _, c := range []struct {
		name string
		put  func(path string) error
	}{
		{"pipe", func(path string) error { return unix.Mkfifo(path, 0o600) }},
		{"link", func(path string) error { return os.Symlink("/dev/null", path) }},
		{"directory", func(path string) error { return os.Mkdir(path, 0o700) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := c.put(filepath.Join(dir, JournalName)); err != nil {
				t.Fatal(err)
			}
			failed := make(chan error, 1)
			go func() {
				_, err := openJournal(dir)
				failed <- err
			}()
			select {
			case err := <-failed:
				if err == nil {
					t.Error("it was read as a journal")
				}
			case <-time.After(10 * time.Second):
				t.Error("openJournal waits for it")
			}
		})
	}
}
