package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/event"
)

// maxSize is the size in bytes at which a file is full.
const maxSize = 2 << 20

var errInUse = errors.New("another daemon writes to it")

// A file is the open journal file. It belongs to one goroutine.
type file struct {
	path  string
	limit int64
	f     *os.File
	size  int64 // of what is whole
}

// openFile opens the file for writing, makes it and its directory if need be, and
// removes a last line that a crash tore.
func openFile(path string, limit int64) (*file, error) {
	j := &file{path: path, limit: limit}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return j, j.open()
}

func (j *file) open() error {
	f, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o640)
	if err != nil {
		return err
	}
	if err = own(f); err == nil {
		j.size, err = wholeSize(f)
	}
	if err == nil {
		err = f.Truncate(j.size)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	j.f = f
	return nil
}

// own refuses what is no file, and a file of another daemon. The lock ends with the
// process, and with an exec.
func own(f *os.File) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", f.Name())
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%s: %w", f.Name(), errInUse)
	}
	return err
}

// wholeSize returns the size of a file up to the end of its last whole line. It looks
// for that no further than Read does: before it, a file is full whatever it ends with.
func wholeSize(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	block := make([]byte, 64<<10)
	for end := info.Size(); end > 0; {
		if info.Size()-end > maxRead {
			return info.Size(), nil
		}
		from := max(0, end-int64(len(block)))
		n, err := f.ReadAt(block[:end-from], from)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if i := bytes.LastIndexByte(block[:n], '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		end = from
	}
	return 0, nil
}

// begin writes the line of a start.
func (j *file) begin(s event.Start) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return j.append(append(text, '\n'))
}

// write appends events. If it fails, none of them is in the file.
func (j *file) write(events []event.Event) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	for i := range events {
		if err := encoder.Encode(&events[i]); err != nil {
			return err
		}
	}
	return j.append(b.Bytes())
}

// there reports whether the path still names the open file.
func (j *file) there() bool {
	at, err := os.Lstat(j.path)
	if err != nil {
		return false
	}
	mine, err := j.f.Stat()
	return err == nil && os.SameFile(at, mine)
}

// full reports whether the file must be replaced before more is written.
func (j *file) full() bool { return j.size >= j.limit }

// rotate makes the file the predecessor of a new one.
func (j *file) rotate() error {
	err := errors.Join(os.Rename(j.path, former(j.path)), j.f.Close())
	j.f = nil
	if err != nil {
		return err
	}
	return j.open()
}

// append writes whole lines and has them on the disk, or takes back what it wrote.
func (j *file) append(text []byte) error {
	_, err := j.f.Write(text)
	if err == nil {
		err = unix.Fdatasync(int(j.f.Fd()))
	}
	if err != nil {
		return errors.Join(err, j.f.Truncate(j.size))
	}
	j.size += int64(len(text))
	return nil
}

func (j *file) close() error {
	if j.f == nil {
		return nil
	}
	return j.f.Close()
}
