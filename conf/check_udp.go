package conf

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"holdfast/checker/probe"
)

// visitUDP has two keys for the bytes to send, because a TOML string cannot hold
// bytes that are not UTF-8. A configuration gives one of them, and it overrides
// whichever the service has.
func visitUDP(t *table, s *probe.UDP, inherited probe.UDP) {
	switch {
	case t.reading():
		field(t, "send", &s.Send, anyText, inherited.Send)
		field(t, "send_hex", &s.Send, hexadecimal, s.Send)
		if t.has("send") {
			t.forbid("beside send", "send_hex")
		}
	case utf8.ValidString(s.Send):
		field(t, "send", &s.Send, anyText, inherited.Send)
	default:
		field(t, "send_hex", &s.Send, hexadecimal, inherited.Send)
	}
	field(t, "expect", &s.Expect, regularExpression, inherited.Expect)
	field(t, "silence_ok", &s.SilenceOK, boolean, inherited.SilenceOK)
}

// anyText is a string that may have control characters.
var anyText = textual("text", func(s string) (string, error) { return s, nil }, func(s string) string { return s })

// hexadecimal is bytes, written as pairs of hexadecimal digits with or without
// blanks between the pairs.
var hexadecimal = textual("hexadecimal digits", func(s string) (string, error) {
	var all []byte
	for _, pairs := range strings.Fields(s) {
		b, err := hex.DecodeString(pairs)
		if err != nil {
			return "", fmt.Errorf(`must be pairs of hexadecimal digits, like "00 ff", not %s`, quoteShort(s))
		}
		all = append(all, b...)
	}
	return string(all), nil
}, func(s string) string { return hex.EncodeToString([]byte(s)) })
