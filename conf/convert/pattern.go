package convert

import (
	"regexp"
	"sync"
)

// Pattern returns a function that returns the compiled expression. It is compiled at the
// first call, because the daemon runs from the same binary and converts nothing: compiled
// at the start, the expressions of all converters would stay in its memory.
func Pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
