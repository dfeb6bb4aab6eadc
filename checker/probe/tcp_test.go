package probe

import (
	"io"
	"net"
	"strings"
	"testing"
)

// speak serves connections one after the other by a function.
func speak(t *testing.T, serve func(net.Conn)) Target {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return at(l.Addr())
}

func TestTCPTalk(t *testing.T) {
	hang := func(c net.Conn) { io.Copy(io.Discard, c) }
	greeter := speak(t, func(c net.Conn) { io.WriteString(c, "+OK ready\r\n"); hang(c) })
	tests := []struct {
		name   string
		server Target
		s      TCP
		want   string
	}{
		{"a greeting", greeter, TCP{Expect: `^\+OK`}, ""},
		{"another greeting", greeter, TCP{Expect: "^220"}, `answer "+OK ready\r\n" does not match "^220" until the timeout after 500ms`},
		{"a question", speak(t, func(c net.Conn) { io.CopyN(c, c, 4); hang(c) }), TCP{Send: "PING", Expect: "^PING$"}, ""},
		{"in pieces", speak(t, func(c net.Conn) {
			for _, piece := range []string{"P", "O", "NG"} {
				io.WriteString(c, piece)
				io.CopyN(io.Discard, c, 1)
			}
			hang(c)
		}), TCP{Send: "xxx", Expect: "PONG"}, ""},
		{"nothing is awaited", speak(t, hang), TCP{Send: "x"}, ""},
		{"the server ends it", speak(t, func(c net.Conn) { io.WriteString(c, "bye") }), TCP{Expect: "hello"},
			`answer "bye" does not match "hello" before the server closed the connection`},
		{"the server says nothing and ends it", speak(t, func(net.Conn) {}), TCP{Expect: "hello"}, "answer: the server closed the connection too early"},
		{"silence", speak(t, hang), TCP{Expect: "hello"}, "answer: timeout after 500ms"},
		{"no end", speak(t, func(c net.Conn) {
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
