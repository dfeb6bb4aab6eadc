package convert

import (
	"strings"
	"testing"
)

// What a file has for a terminal is not done.
func TestReportIsText(t *testing.T) {
	var r Report
	r.Person(Position{File: "old\x1b[2J.conf", Line: 3}, "keepalived does not know \x1b]0;title\a\x9b\u202eé\xff\n\ttext")
	const want = `old\x1b[2J.conf:3: not translated: keepalived does not know \x1b]0;title\a` + "\uFFFD" + `\u202e` + "é\uFFFD\n\ttext\n"
	if got := r.String(); !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q first", got, want)
	}
}
