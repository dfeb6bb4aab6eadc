package probe

import (
	"bufio"
	"io"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// answersSIP are answers to a request, in which $ stands for its Call-ID.
var answersSIP = []struct {
	name    string
	answers []string
	reason  string
}{
	{"well", []string{"SIP/2.0 200 OK\r\nCall-ID: $\r\n\r\n"}, ""},
	{"short names", []string{"SIP/2.0 200 OK\r\ni: $\r\nl: 0\r\n\r\n"}, ""},
	{"empty lines before", []string{"\r\n\r\nSIP/2.0 200 OK\r\nCall-ID: $\r\n\r\n"}, ""},
	{"first provisional", []string{"SIP/2.0 100 Trying\r\nCall-ID: $\r\n\r\n", "SIP/2.0 200 OK\r\nCall-ID: $\r\n\r\n"}, ""},
	{"first another", []string{"SIP/2.0 500 No\r\nCall-ID: x\r\nContent-Length: 4\r\n\r\nbody", "SIP/2.0 200 OK\r\nCall-ID: $\r\n\r\n"}, ""},
	{"first a request", []string{"OPTIONS sip:a SIP/2.0\r\nCall-ID: $\r\n\r\n", "SIP/2.0 200 OK\r\nCall-ID: $\r\n\r\n"}, ""},
	{"not well", []string{"SIP/2.0 503 Too busy\r\nCall-ID: $\r\n\r\n"}, `SIP "503 Too busy", want 200-299`},
}

func idOf(request string) string {
	_, rest, _ := strings.Cut(request, "\r\nCall-ID: ")
	id, _, _ := strings.Cut(rest, "\r\n")
	return id
}

func TestSIPOverUDP(t *testing.T) {
	for _, tt := range answersSIP {
		t.Run(tt.name, func(t *testing.T) {
			wantReason(t, ask(t, defaultSIP, at(answerUDP(t, "127.0.0.1:0", func(request []byte) (all [][]byte) {
				for _, a := range tt.answers {
					all = append(all, []byte(strings.ReplaceAll(a, "$", idOf(string(request)))))
				}
				return all
			}))), tt.reason)
		})
	}
	t.Run("what is no answer", func(t *testing.T) {
		c := at(answerUDP(t, "127.0.0.1:0", func([]byte) [][]byte {
			return [][]byte{[]byte("SIP/2.0 200 OK\r\nCall-ID: other\r\n\r\n"), []byte("pong")}
		}))
		c.Timeout = hung
		wantReason(t, ask(t, defaultSIP, c), stray)
	})
	t.Run("request", func(t *testing.T) {
		requests := make(chan string, 1)
		c := at(answerUDP(t, "[::1]:0", func(request []byte) [][]byte {
			requests <- string(request)
			return [][]byte{[]byte("SIP/2.0 200 OK\r\nCall-ID: " + idOf(string(request)) + "\r\n\r\n")}
		}))
		wantReason(t, ask(t, defaultSIP, c), "")
		r := textproto.NewReader(bufio.NewReader(strings.NewReader(<-requests)))
		first, err := r.ReadLine()
		if want := "OPTIONS sip:" + c.Address.String() + " SIP/2.0"; err != nil || first != want {
			t.Errorf("%q, want %q, %v", first, want, err)
		}
		header, err := r.ReadMIMEHeader()
		if via := header.Get("Via"); err != nil || !strings.HasPrefix(via, "SIP/2.0/UDP [::1]:") || !strings.Contains(via, ";branch=z9hG4bK") {
			t.Errorf("Via %q, %v", via, err)
		}
	})
}

func TestSIPOverTCP(t *testing.T) {
	s := defaultSIP
	s.Transport = "tcp"
	for _, tt := range answersSIP {
		t.Run(tt.name, func(t *testing.T) {
			l := listen(t, "127.0.0.1:0")
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				buf := make([]byte, 4096)
				n, _ := conn.Read(buf)
				for _, a := range tt.answers {
					_, _ = io.WriteString(conn, strings.ReplaceAll(a, "$", idOf(string(buf[:n]))))
				}
			}()
			wantReason(t, ask(t, s, at(l.Addr())), tt.reason)
		})
	}
	t.Run("another protocol", func(t *testing.T) {
		wantReason(t, ask(t, s, forever(t, "220 smtp\r\n", time.Hour)), `answer: "220 smtp" is not an answer of SIP`)
	})
	t.Run("a byte now and then", func(t *testing.T) {
		c := forever(t, "S", 50*time.Millisecond)
		c.Timeout = hung
		wantReason(t, ask(t, s, c), "answer: timeout after 500ms")
	})
	t.Run("without an end", func(t *testing.T) {
		wantReason(t, ask(t, s, forever(t, strings.Repeat("S", 4096), 0)), "answer: the server sent more than 1024 KiB")
	})
}
