package track

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxNumberLen bounds how much of a tracked file is read. A number is shorter.
const maxNumberLen = 64

// File returns a look that reads a number from a file: 0 is up, any other
// number is down. A file that is missing or contains no number counts as the
// number missing; the reading's Reason says so.
func File(path string, missing int) func(context.Context) Reading {
	return func(context.Context) Reading {
		n, problem := readNumber(path)
		switch {
		case problem != "":
			return Reading{Up: missing == 0, Number: missing, Reason: fmt.Sprintf("%s, which counts as %d", problem, missing)}
		case n != 0:
			return Reading{Number: n, Reason: fmt.Sprintf("%s contains %d", path, n)}
		}
		return Reading{Up: true}
	}
}

// readNumber returns the number in a file, or why there is none.
func readNumber(path string) (n int, problem string) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // opening a named pipe must not block
	if errors.Is(err, fs.ErrNotExist) {
		return 0, path + " is missing"
	}
	if err != nil {
		return 0, err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return 0, path + " is not a regular file"
	}
	b, err := io.ReadAll(io.LimitReader(f, maxNumberLen))
	if err != nil {
		return 0, err.Error()
	}
	text := strings.TrimSpace(string(b))
	if text == "" { // the writer has truncated it and not written yet, or touch made it
		return 0, path + " is empty"
	}
	n, err = strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Sprintf("%s contains %q instead of a number", path, text)
	}
	return n, ""
}
