package probe

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// pattern notes a fault of a key if s is not a regular expression.
func (e *FieldErrors) pattern(key, s string) {
	if _, err := regexp.Compile(s); err != nil {
		e.Addf(key, "is not a regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
}

// compile returns a valid regular expression; nil for "", which matches
// everything.
func compile(pattern string) *regexp.Regexp {
	if pattern == "" {
		return nil
	}
	return regexp.MustCompile(pattern)
}

// excerpt returns the beginning of a server's answer in quotes.
func excerpt(b []byte) string {
	const most = 60
	if len(b) <= most {
		return strconv.Quote(string(b))
	}
	return strconv.Quote(string(b[:most])) + fmt.Sprintf("... (%d bytes)", len(b))
}
