package probe

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"
)

// Programs run the programs of checks. The director has the implementation.
type Programs interface {
	// Run runs a program until it ends. When ctx ends first, Run ends all its
	// processes and returns ctx's error. Any other error says why the program did
	// not run.
	Run(ctx context.Context, p Program) (Ended, error)
}

// A Program is what to run.
type Program struct {
	Argv        []string // the absolute path and the arguments; no shell interprets them
	Environment []string // beside PATH and LANG
	User, Group string   // names or numbers; "": the default
	// Script is a file that Argv has a program interpret; "": none. It must be as
	// safe from other users as the program itself.
	Script string
}

// An Ended is what came of a program.
type Ended struct {
	Status int    // of exit(3); -1 if a signal ended it
	Signal string // "killed", for instance; "" without one
	// Output and Errors are the beginning of the standard output and of the standard
	// error.
	Output, Errors []byte
}

// errNoPrograms is why a check says nothing where nobody runs programs.
var errNoPrograms = errors.New("no programs are run here")

// maxLine bounds, in characters, the line of output that is part of a reason.
const maxLine = 160

// line returns the first line of the output that is not blank, or that of the
// errors if there is none.
func (e *Ended) line() string {
	if line := firstLine(e.Output); line != "" {
		return line
	}
	return firstLine(e.Errors)
}

// firstLine returns the first line that is not blank, fit for a reason.
func firstLine(b []byte) string {
	for line := range strings.Lines(string(b)) {
		if line = plainLine(line); line != "" {
			return line
		}
	}
	return ""
}

// plainLine returns a line of output without control characters and cut to
// maxLine.
func plainLine(line string) string {
	line = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(line, "?")))
	if utf8.RuneCountInString(line) > maxLine {
		line = string([]rune(line)[:maxLine]) + "…"
	}
	return line
}
