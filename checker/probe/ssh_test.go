package probe

import (
	"testing"
	"time"
)

func TestSSH(t *testing.T) {
	tests := []struct {
		name   string
		s      SSH
		lines  string
		reason string
	}{
		{"version 2", SSH{}, ">SSH-2.0-x\n<SSH-2.0-holdfast", ""},
		{"version 1 as well", SSH{}, ">SSH-1.99-x\n<SSH-2.0-holdfast", ""},
		{"lines before it", SSH{Banner: "-x$"}, ">Welcome\n>SSH\n>SSH-2.0-x\n<SSH-2.0-holdfast", ""},
		{"version 1", SSH{}, ">SSH-1.5-x", `banner: "SSH-1.5-x", want SSH-2.0`},
		{"another server", SSH{Banner: "OpenSSH"}, ">SSH-2.0-x", `banner: "SSH-2.0-x", want a match of "OpenSSH"`},
		{"no version", SSH{}, ">220 smtp", "banner: the server closed the connection too early"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantReason(t, ask(t, tt.s, dialogue(t, tt.lines)), tt.reason) })
	}
	t.Run("lines without end", func(t *testing.T) {
		c := forever(t, "welcome\n", 20*time.Millisecond)
		c.Timeout = hung
		wantReason(t, ask(t, SSH{}, c), "banner: timeout after 500ms")
	})
}
