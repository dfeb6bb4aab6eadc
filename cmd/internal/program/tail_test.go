package program

import (
	"strings"
	"testing"
)

// Only the end of a program's output is kept, and only its last line is reported.
func TestTail(t *testing.T) {
	var out Tail
	for range 100 {
		_, _ = out.Write([]byte(strings.Repeat("x", 1000) + "\n"))
	}
	if len(out.kept) != maxOutput {
		t.Errorf("%d bytes are kept, want %d", len(out.kept), maxOutput)
	}
	if want := strings.Repeat("x", maxReason) + "…"; out.LastLine() != want {
		t.Errorf("the last line is %q", out.LastLine())
	}
}
