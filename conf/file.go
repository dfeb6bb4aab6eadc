package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// MaxFileSize bounds a file of the configuration, in bytes. A configuration of
// a thousand services stays far below.
const MaxFileSize = 4 << 20

// ReadFile reads a regular file of at most MaxFileSize bytes. It refuses anything
// else without waiting for it. Its errors name the file.
func ReadFile(path string) ([]byte, error) { return readRegular(path, MaxFileSize) }

// readRegular reads a regular file of at most limit bytes. It refuses anything
// else without waiting for it. Its errors name the file.
func readRegular(path string, limit int64) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, limit)
}

// openRegular opens a regular file for reading. The name is looked up first,
// because to open a device can have effects (a watchdog starts to count). Should
// a pipe take its place meanwhile, O_NONBLOCK keeps the open from waiting for a
// writer.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err == nil {
		err = wantRegular(path, info)
	}
	if err != nil {
		return nil, opening(err)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil {
		err = wantRegular(path, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// opening names the failed operation as the user knows it: stat is a detail.
func opening(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok && failed.Op == "stat" {
		return &fs.PathError{Op: "open", Path: failed.Path, Err: failed.Err}
	}
	return err
}

func wantRegular(path string, info os.FileInfo) error {
	var kind string
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		kind = "a directory"
	case mode&os.ModeNamedPipe != 0:
		kind = "a pipe"
	case mode&os.ModeSocket != 0:
		kind = "a socket"
	case mode&os.ModeDevice != 0:
		kind = "a device"
	default:
		kind = "something else"
	}
	return fmt.Errorf("%s is %s, not a regular file", path, kind)
}

// readAll reads the rest of f, which must not have more than limit bytes.
func readAll(f *os.File, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s is larger than %s", f.Name(), formatSize(limit))
	}
	return b, nil
}

func formatSize(n int64) string {
	if n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}
