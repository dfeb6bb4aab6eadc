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

// File returns a look that reads a number from a file: 0 is up. A file that is
// not there or holds no number counts as the number missing, and the reason
// says so.
func File(path string, missing int) func(context.Context) Reading {
	return func(context.Context) Reading {
		n, problem := readNumber(path)
		switch {
		case problem != "":
			return Reading{Up: missing == 0, Number: missing, Reason: fmt.Sprintf("%s, which counts as %d", problem, missing)}
		case n != 0:
			return Reading{Number: n, Reason: fmt.Sprintf("%s says %d", path, n)}
		}
		return Reading{Up: true}
	}
}

func readNumber(path string) (n int, problem string) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe must not make us wait
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
	// More than this is no number, whatever it is.
	b, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return 0, err.Error()
	}
	text := strings.TrimSpace(string(b))
	if text == "" { // between truncating and writing, or made by touch
		return 0, path + " is empty"
	}
	n, err = strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Sprintf("%s holds no number but %q", path, text)
	}
	return n, ""
}
