package director

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// readFile reads the JSON that replaceFile wrote; there reports whether the file
// exists.
func readFile(path string, into any) (there bool, err error) {
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return true, fmt.Errorf("%s: %w", path, err)
	}
	return true, nil
}

// replaceFile writes a file so that a reader sees the old or the new content. If the
// disk is full it leaves nothing behind.
func replaceFile(path string, content []byte) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, content, 0o600); err != nil {
		_ = os.Remove(tmp)
		return err
	}
	return os.Rename(tmp, path)
}

// removeFile removes a file that may not exist.
func removeFile(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
