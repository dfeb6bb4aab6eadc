package program

import (
	"bytes"
	"strings"
)

const (
	// maxOutput is how many bytes of a program's output are kept, counted from its end.
	maxOutput = 4096
	// maxReason bounds, in characters, the line of output that is part of a reason.
	maxReason = 160
)

// A Tail keeps the last maxOutput bytes that are written to it.
type Tail struct{ kept []byte }

// Write implements io.Writer.
func (t *Tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p[max(0, len(p)-maxOutput):]...)
	if over := len(t.kept) - maxOutput; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// LastLine returns the last line that is not blank, without control characters
// and cut to maxReason.
func (t *Tail) LastLine() string {
	lines := bytes.Split(bytes.TrimSpace(t.kept), []byte("\n"))
	line := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(lines[len(lines)-1]), "?"))
	line = strings.TrimSpace(line)
	if runes := []rune(line); len(runes) > maxReason {
		line = string(runes[:maxReason]) + "…"
	}
	return line
}
