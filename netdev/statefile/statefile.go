// Package statefile reads and replaces the small files that the daemon keeps in its
// runtime directory. It trusts nothing that is there: a symbolic link is not
// followed, and a pipe or device is refused instead of waited for.
package statefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxRead is how many bytes Read takes. The largest files are those of some thousand
// services and checks, and have a few megabytes.
const maxRead = 64 << 20

// Read returns the content of a file. If the file does not exist, the error is
// fs.ErrNotExist. A file that is far too large for what is kept here is refused.
func Read(path string) ([]byte, error) {
	f, size, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxRead {
		return nil, fmt.Errorf("%s has %d bytes, which is more than %d", path, size, maxRead)
	}
	return io.ReadAll(io.LimitReader(f, maxRead))
}

// ReadEnd returns the last bytes of a file, at most so many, and whether that is all
// of it. Its errors are those of Read.
func ReadEnd(path string, most int64) (end []byte, all bool, err error) {
	f, size, err := open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	from := max(0, size-most)
	end, err = io.ReadAll(io.NewSectionReader(f, from, most))
	return end, from == 0, err
}

// open opens a regular file, and returns its size in bytes.
func open(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// Replace writes a file so that a reader sees the old or the new content. The new
// content is first a file PATH.new that did not exist before: what a crash or
// somebody else left under that name is removed. A file that could not be written
// completely is removed too, because it may fill the directory.
//
// Replace does not sync: after a crash of the machine these files mean nothing.
func Replace(path string, content []byte) error {
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	name := filepath.Base(path)
	temporary := name + ".new"
	if err := dir.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := dir.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = dir.Rename(temporary, name)
	}
	if err != nil {
		_ = dir.Remove(temporary) // the first error says what is wrong
	}
	return err
}

// Remove removes a file that may not exist.
func Remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
