package conf

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// A reader collects what is found while one configuration is read.
type reader struct {
	env      environment
	errs     Errors // at most maxErrors
	more     int    // errors beyond those
	warnings Errors
	schema   map[string]*schema
	tables   *tableNames            // nil until a key asks for them
	holders  map[string]os.FileInfo // the files with secrets; nil without any
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

// A schema is what was asked for in the tables of one kind.
type schema struct {
	keys   map[string]bool // in any of them
	latest []string        // in the latest one
}

// schemaOf returns the schema of a kind of table, by its name without the names of
// elements: "service.check".
func (r *reader) schemaOf(name string) *schema {
	s := r.schema[name]
	if s == nil {
		s = &schema{keys: make(map[string]bool)}
		r.schema[name] = s
	}
	return s
}

// note adds the keys that a table asked for. Most tables ask for the same as the one
// before, of which there may be ten thousand.
func (s *schema) note(asked []string) {
	if slices.Equal(asked, s.latest) {
		return
	}
	s.latest = asked
	for _, key := range asked {
		s.keys[key] = true
	}
}
