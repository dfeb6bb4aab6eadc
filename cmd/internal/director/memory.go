package director

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"holdfast/lvs"
)

// A memory is what the director writes under its runtime directory so that a
// later run knows what this one has left in the kernel.
type memory struct {
	path string
	keys []lvs.Key
}

// recall reads the memory of a former run. What cannot be read is said, and
// counts as nothing: services that nobody knows are left alone.
func recall(dir string) (*memory, error) {
	m := &memory{path: filepath.Join(dir, "ipvs.json")}
	b, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("read what a former run left: %w", err)
	}
	if err := json.Unmarshal(b, &m.keys); err != nil {
		return m, fmt.Errorf("read what a former run left: %s: %w", m.path, err)
	}
	return m, nil
}

// Keys returns the virtual services that are ours.
func (m *memory) Keys() []lvs.Key { return m.keys }

// SetKeys replaces them, in one step as far as a crash can see.
func (m *memory) SetKeys(keys []lvs.Key) error {
	m.keys = keys
	b, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	return replaceFile(m.path, b)
}

// lockDir makes the runtime directory and locks it: two directors in one would
// undo each other's changes. The kernel frees the lock when the process ends,
// however it ends.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the runtime directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the runtime directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("runtime directory %s: another holdfast is running there", dir)
	}
	return f, nil
}

// replaceFile writes a file so that a reader sees the old or the new content.
func replaceFile(path string, content []byte) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, content, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
