package statefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Neither Read nor Replace follows a symbolic link, and Read does not wait for a
// pipe.
func TestLinksAndPipes(t *testing.T) {
	dir := t.TempDir()
	path, victim, pipe := filepath.Join(dir, "f"), filepath.Join(dir, "victim"), filepath.Join(dir, "pipe")
	must(t, os.WriteFile(victim, []byte("old"), 0o600))
	must(t, os.Symlink(victim, path))
	must(t, os.Symlink(victim, path+".new"))
	must(t, unix.Mkfifo(pipe, 0o600))
	if text, err := Read(path); err == nil {
		t.Errorf("read %q through a link", text)
	}
	if text, err := Read(pipe); err == nil {
		t.Errorf("read %q from a pipe", text)
	}
	must(t, Replace(path, []byte("new")))
	if text, err := Read(path); err != nil || string(text) != "new" {
		t.Errorf("the file contains %q, %v", text, err)
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "old" {
		t.Errorf("the file that the links named contains %q, %v", text, err)
	}
}

// When a file cannot be replaced, no temporary file is left behind.
func TestReplaceLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	must(t, os.MkdirAll(filepath.Join(path, "not empty"), 0o755))
	if err := Replace(path, []byte("new")); err == nil {
		t.Error("a directory was replaced")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	must(t, Remove(path))
	must(t, Replace(path, nil))
	must(t, Remove(path))
	if _, err := Read(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}
