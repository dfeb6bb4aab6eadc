package probe

import (
	"io"
	"net"
	"strings"
	"testing"
)

func TestTCPTalk(t *testing.T) {
	hang := func(c net.Conn) { io.Copy(io.Discard, c) }
	greeter := answerAll(t, func(c net.Conn) { io.WriteString(c, "+OK ready\r\n"); hang(c) })
	tests := []struct {
		name   string
		server Target
		s      TCP
		want   string
	}{
		{"a greeting", greeter, TCP{Expect: `^\+OK`}, ""},
		{"another greeting", greeter, TCP{Expect: "^220"}, `answer "+OK ready\r\n" does not match "^220" until the timeout after 500ms`},
		{"a question", answerAll(t, func(c net.Conn) { io.CopyN(c, c, 4); hang(c) }), TCP{Send: "PING", Expect: "^PING$"}, ""},
		{"in pieces", answerAll(t, func(c net.Conn) {
			for _, piece := range []string{"P", "O", "NG"} {
				io.WriteString(c, piece)
				io.CopyN(io.Discard, c, 1)
			}
			hang(c)
		}), TCP{Send: "xxx", Expect: "PONG"}, ""},
		{"nothing is awaited", answerAll(t, hang), TCP{Send: "x"}, ""},
		{"the server ends it", answerAll(t, func(c net.Conn) { io.WriteString(c, "bye") }), TCP{Expect: "hello"},
			`answer "bye" does not match "hello" before the server closed the connection`},
		{"the server says nothing and ends it", answerAll(t, func(net.Conn) {}), TCP{Expect: "hello"}, "answer: the server closed the connection too early"},
		{"silence", answerAll(t, hang), TCP{Expect: "hello"}, "answer: timeout after 500ms"},
		{"no end", answerAll(t, func(c net.Conn) {
			for page := strings.Repeat("x", 1<<16); ; {
				if _, err := io.WriteString(c, page); err != nil {
					return
				}
			}
		}), TCP{Expect: "y"}, `answer "` + strings.Repeat("x", 60) + `"... (65536 bytes) does not match "y" in the part that is read`},
		{"nobody listens", at(closedPort(t)), TCP{Send: "x"}, "connect: connection refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(tt.want, "timeout") {
				tt.server.Timeout = hung
			}
			wantReason(t, ask(t, tt.s, tt.server), tt.want)
		})
	}
}
