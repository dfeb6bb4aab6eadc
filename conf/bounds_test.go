package conf

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A file beyond a bound is refused with the line. A file just within is not.
func TestBounds(t *testing.T) {
	nested := func(open, close string, n int) string {
		return "\nx = " + strings.Repeat(open, n) + strings.Repeat(close, n) + "\n"
	}
	dotted := func(n int) string { return strings.TrimSuffix(strings.Repeat("a.", n), ".") }
	const deep = "is nested more than 64 levels deep"
	const parts = "the key has more than 64 parts"
	tests := []struct{ name, within, beyond, want string }{
		{"arrays", nested("[", "]", 64), nested("[", "]", 66), deep},
		{"inline tables", "\nx = " + strings.Repeat("{a=", 63) + "1" + strings.Repeat("}", 63), "\nx = " + strings.Repeat("{a=", 64) + "1" + strings.Repeat("}", 64), deep},
		{"unclosed arrays", nested("[", "", 63), nested("[", "", 66), deep},
		{"dotted key", "\n" + dotted(64) + " = 1", "\n" + dotted(65) + " = 1", parts},
		{"table", "\n[" + dotted(64) + "]", "\n[" + dotted(65) + "]", parts},
		{"array of tables", "\n[[" + dotted(63) + "]]", "\n[[" + dotted(64) + "]]", deep},
		{"table and key", "[" + dotted(32) + "]\n" + dotted(32) + " = 1", "[" + dotted(32) + "]\n" + dotted(33) + " = 1", deep},
		{"key in an inline table", "\nx = { " + dotted(63) + " = 1 }", "\nx = { " + dotted(64) + " = 1 }", deep},
		{"length of a key", "\n" + strings.Repeat("k", 256) + " = 1", "\n" + strings.Repeat("k", 257) + " = 1", `the key "` + strings.Repeat("k", 60) + `…" is longer than 256 characters`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Parse("a.toml", []byte(tt.within)); err == nil || strings.Contains(err.Error(), "more than") || strings.Contains(err.Error(), "longer than") {
				t.Errorf("just within the bound: %v", err)
			}
			_, err := Parse("a.toml", []byte(tt.beyond))
			if want := "a.toml:2: " + tt.want; err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

// At most 100 errors are listed, and the others are counted.
func TestErrorsAreBounded(t *testing.T) {
	for _, tt := range []struct{ wrong, listed, more int }{{99, 99, 0}, {100, 100, 0}, {123, 100, 23}} {
		var src strings.Builder
		for i := range tt.wrong {
			fmt.Fprintf(&src, "colour%03d = 1\n", i)
		}
		_, err := Parse("a.toml", []byte(src.String()))
		errs, _ := errors.AsType[Errors](err)
		if tt.more > 0 {
			last := errs[len(errs)-1].Error()
			if want := fmt.Sprintf("a.toml: and %d more errors", tt.more); last != want {
				t.Errorf("%d errors end with %q, want %q", tt.wrong, last, want)
			}
			errs = errs[:len(errs)-1]
		}
		if len(errs) != tt.listed {
			t.Fatalf("%d errors: %d are listed, want %d", tt.wrong, len(errs), tt.listed)
		}
		for i, e := range errs {
			if e.Line != i+1 {
				t.Errorf("error %d stands in line %d", i, e.Line)
			}
		}
	}
}

// A message does not repeat a value that is very long.
func TestMessagesAreShort(t *testing.T) {
	_, err := Parse("x.toml", []byte("[[service]]\nname = \"s\"\naddress = \"10.0.0.1:80\"\n[[service.server]]\naddress = \"10.0.0.2\"\n[service.check]\nperiod = \""+strings.Repeat("wd ", 100_000)+"\"\n"))
	if err == nil || len(err.Error()) > 2000 || !strings.Contains(err.Error(), "period") {
		t.Errorf("the message has %d bytes", len(fmt.Sprint(err)))
	}
}
