package conf

import (
	"fmt"
	"os"
	"strings"
)

// A reader collects what is found while one configuration is read.
type reader struct {
	env      environment
	errs     Errors // at most maxErrors
	more     int    // errors beyond those
	warnings Errors
	schema   map[string]map[string]bool // every key that was asked for, by table
	tables   *tableNames                // nil until a key asks for them
	holders  map[string]os.FileInfo     // the files with secrets; nil without any
}

// maxErrors is how many errors are listed. Nobody reads more, and a hostile file
// could have millions.
const maxErrors = 100

// fail notes an error.
func (r *reader) fail(at value, key, format string, args ...any) {
	if len(r.errs) >= maxErrors {
		r.more++
		return
	}
	r.errs = append(r.errs, newError(at, key, format, args...))
}

// warn notes a warning.
func (r *reader) warn(at value, key, format string, args ...any) {
	if len(r.warnings) < maxErrors {
		r.warnings = append(r.warnings, newError(at, key, format, args...))
	}
}

func newError(at value, key, format string, args ...any) Error {
	return Error{File: at.file, Line: at.line, Key: key, Message: shorten(fmt.Sprintf(format, args...))}
}

// shorten cuts off a message that repeats a very long value.
func shorten(s string) string {
	const limit = 1000
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// failures returns all errors in order. The last one counts those that are not
// listed.
func (r *reader) failures(path string) Errors {
	errs := r.errs.sorted()
	if r.more > 0 {
		errs = append(errs, Error{File: path, Message: fmt.Sprintf("and %d more errors", r.more)})
	}
	return errs
}

// known returns the set of keys that were asked for in tables of a schema. The
// caller adds to it.
func (r *reader) known(schema string) map[string]bool {
	if r.schema[schema] == nil {
		r.schema[schema] = make(map[string]bool)
	}
	return r.schema[schema]
}
