package director

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// readFile reads the JSON that replaceFile wrote; there reports whether the file
// exists. A symbolic link, pipe or device in its place is an error.
func readFile(path string, into any) (there bool, err error) {
	b, err := readRegular(path)
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

func readRegular(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is not a file", path))
	}
	return io.ReadAll(f)
}

// replaceFile writes a file so that a reader sees the old or the new content. If
// that fails it leaves nothing behind. It never writes through a symbolic link: the
// new content is a file that did not exist before.
func replaceFile(path string, content []byte) error {
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	name := filepath.Base(path)
	tmp := name + ".new"
	if err := makeWay(dir, tmp); err != nil {
		return err
	}
	f, err := dir.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = dir.Rename(tmp, name)
	}
	if err != nil {
		_ = dir.Remove(tmp)
	}
	return err
}

// makeWay removes what a crash left under a temporary name. A symbolic link is not
// of our making: it is removed too, and said to have been there.
func makeWay(dir *os.Root, name string) error {
	info, err := dir.Lstat(name)
	if err == nil {
		err = dir.Remove(name)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s was a symbolic link that somebody else made: it is removed", filepath.Join(dir.Name(), name))
	}
	return err
}

// removeFile removes a file that may not exist.
func removeFile(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
