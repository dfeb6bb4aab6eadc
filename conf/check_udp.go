package conf

import (
	"encoding/hex"
	"fmt"
	"strings"

	"holdfast/checker/probe"
)

func visitUDP(t *table, s *probe.UDP, inherited probe.UDP) {
	visitSend(t, &s.Send, inherited.Send)
	field(t, "expect", &s.Expect, regularExpression, inherited.Expect)
	field(t, "expect_hex", &s.ExpectHex, text, inherited.ExpectHex)
	field(t, "min_length", &s.MinLength, integer[int](0, 65507), inherited.MinLength)
	field(t, "max_length", &s.MaxLength, integer[int](0, 65507), inherited.MaxLength)
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
