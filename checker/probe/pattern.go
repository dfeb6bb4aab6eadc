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

// maxExcerpt is how much of a server's answer a reason quotes, in bytes.
const maxExcerpt = 60

// excerpt returns the beginning of a server's answer in quotes.
func excerpt(b []byte) string { return excerptOf(b, len(b)) }

// excerptOf is excerpt for an answer of n bytes that begins with head.
func excerptOf(head []byte, n int) string {
	if n <= maxExcerpt {
		return strconv.Quote(string(head[:n]))
	}
	return strconv.Quote(string(head[:maxExcerpt])) + fmt.Sprintf("... (%d bytes)", n)
}
