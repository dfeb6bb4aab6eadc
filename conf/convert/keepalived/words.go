package keepalived

import (
	"strconv"
	"strings"
)

// splitWords splits a line into words at blanks. A word that begins with a double
// quote goes to the next one, without the quotes; no escape is known. It returns nil
// for a quote without an end.
func splitWords(s string) []string {
	var words []string
	for s = strings.TrimLeft(s, blanks); s != ""; s = strings.TrimLeft(s, blanks) {
		if inner, quoted := strings.CutPrefix(s, `"`); quoted {
			word, rest, closed := strings.Cut(inner, `"`)
			if !closed {
				return words
			}
			words, s = append(words, word), rest
			continue
		}
		n := strings.IndexAny(s, blanks+`"`)
		if n < 0 {
			n = len(s)
		}
		words, s = append(words, s[:n]), s[n:]
	}
	return words
}

const blanks = " \t\n\v\f\r"

// commandWords splits the text of a script line, or of a word of it, as keepalived
// does for programs: both quotes group, and a backslash escapes as in C. It reports
// false for a quote without an end.
func commandWords(s string) (words []string, ok bool) {
	for s = strings.TrimLeft(s, blanks); s != ""; s = strings.TrimLeft(s, blanks) {
		var b strings.Builder
		quote := byte(0)
		for s != "" {
			c := s[0]
			switch {
			case c == '\\':
				n := escape(&b, s)
				if n == 0 {
					return nil, false
				}
				s = s[n:]
				continue
			case quote != 0 && c == quote:
				quote = 0
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case quote == 0 && strings.IndexByte(blanks, c) >= 0:
				words = append(words, b.String())
				s = s[1:]
				goto next
			default:
				b.WriteByte(c)
			}
			s = s[1:]
		}
		if quote != 0 {
			return nil, false
		}
		words = append(words, b.String())
	next:
	}
	return words, true
}

// simpleEscapes are the escapes of one letter.
var simpleEscapes = map[byte]byte{'a': '\a', 'b': '\b', 'E': 0x1b, 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

// escape writes the character that s begins with, after a backslash, and returns how
// long it is in s; 0 if nothing follows the backslash.
func escape(b *strings.Builder, s string) int {
	if len(s) < 2 {
		return 0
	}
	digits := func(from, most, base int) int {
		n := 0
		for n < most && from+n < len(s) {
			if _, err := strconv.ParseUint(s[from+n:from+n+1], base, 8); err != nil {
				break
			}
			n++
		}
		return n
	}
	switch c := s[1]; {
	case c == 'x' && digits(2, 1, 16) > 0:
		n := digits(2, len(s), 16)
		v, _ := strconv.ParseUint(s[max(2, 2+n-2):2+n], 16, 8) // one byte: the last two digits
		b.WriteByte(byte(v))
		return 2 + n
	case c == 'c' && len(s) > 2:
		b.WriteByte(s[2] & 0x1f)
		return 3
	case '0' <= c && c <= '7':
		n := digits(1, 3, 8)
		v, _ := strconv.ParseUint(s[1:1+n], 8, 16)
		b.WriteByte(byte(v))
		return 1 + n
	default:
		if e, known := simpleEscapes[c]; known {
			c = e
		}
		b.WriteByte(c)
		return 2
	}
}
