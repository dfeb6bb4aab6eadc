package probe

import (
	"fmt"
	"strings"
)

// A hexPattern is the beginning of an answer in bytes, some of which are not told. A
// regular expression cannot say what bytes are that are no UTF-8.
type hexPattern struct{ bits, mask []byte }

// parseHexPattern parses pairs of hexadecimal digits. A digit can be x, for any, and
// blanks can stand between the pairs. It is how keepalived writes require_reply.
func parseHexPattern(text string) (p hexPattern, err error) {
	digits := strings.Join(strings.Fields(text), "")
	if len(digits)%2 != 0 {
		return p, fmt.Errorf("must be pairs of hexadecimal digits or x, not %q", text)
	}
	for i := 0; i < len(digits); i += 2 {
		high, highMask, ok1 := hexDigit(digits[i])
		low, lowMask, ok2 := hexDigit(digits[i+1])
		if !ok1 || !ok2 {
			return p, fmt.Errorf("must be pairs of hexadecimal digits or x, not %q", text)
		}
		p.bits, p.mask = append(p.bits, high<<4|low), append(p.mask, highMask<<4|lowMask)
	}
	return p, nil
}

func hexDigit(c byte) (bits, mask byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', 15, true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, 15, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, 15, true
	case c == 'x' || c == 'X':
		return 0, 0, true
	}
	return 0, 0, false
}

// match reports whether b begins as p says.
func (p hexPattern) match(b []byte) bool {
	if len(b) < len(p.bits) {
		return false
	}
	for i := range p.bits {
		if b[i]&p.mask[i] != p.bits[i] {
			return false
		}
	}
	return true
}
