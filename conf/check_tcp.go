package conf

import (
	"unicode/utf8"

	"holdfast/checker/probe"
)

func visitTCP(t *table, s *probe.TCP, inherited probe.TCP) {
	visitSend(t, &s.Send, inherited.Send)
	field(t, "expect", &s.Expect, regularExpression, inherited.Expect)
}

// visitSend walks over two keys for the bytes to send, because a TOML string cannot
// hold bytes that are not UTF-8. A configuration gives one of them, and it overrides
// whichever the service has.
func visitSend(t *table, send *string, inherited string) {
	switch {
	case t.reading():
		field(t, "send", send, anyText, inherited)
		field(t, "send_hex", send, hexadecimal, *send)
		if t.has("send") {
			t.forbid("beside send", "send_hex")
		}
	case utf8.ValidString(*send):
		field(t, "send", send, anyText, inherited)
	default:
		field(t, "send_hex", send, hexadecimal, inherited)
	}
}
