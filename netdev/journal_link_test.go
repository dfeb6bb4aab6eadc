package netdev

import (
	"os"
	"path/filepath"
	"testing"
)

// The journal is not written through a symbolic link that somebody laid under its
// temporary name.
func TestJournalIsNotWrittenThroughALink(t *testing.T) {
	dir := t.TempDir()
	path, victim := filepath.Join(dir, JournalName), filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, path+".new"); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "new" {
		t.Errorf("the journal holds %q, %v", b, err)
	}
	if b, err := os.ReadFile(victim); err != nil || string(b) != "old" {
		t.Errorf("the file that the link named holds %q, %v", b, err)
	}
}
