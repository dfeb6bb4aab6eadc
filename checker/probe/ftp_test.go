package probe

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// ftpServer lets everybody in and sends a file. It does not know EPSV, and says that the
// data are at another address.
func ftpServer(t *testing.T, send func(io.Writer)) Target {
	t.Helper()
	return answerAll(t, func(conn net.Conn) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Error(err)
			return
		}
		defer l.Close()
		say := func(line string) { _, _ = io.WriteString(conn, line+"\r\n") }
		say("220 hi")
		in := bufio.NewScanner(conn)
		for in.Scan() {
			switch command, _, _ := strings.Cut(in.Text(), " "); command {
			case "EPSV":
				say("500 what")
			case "PASV":
				port := l.Addr().(*net.TCPAddr).Port
				say(fmt.Sprintf("227 Entering Passive Mode (198,51,100,1,%d,%d).", port>>8, port&255))
			case "RETR":
				say("150 here it comes")
				data, err := l.Accept()
				if err != nil {
					return
				}
				send(data)
				data.Close()
				say("226 done")
			case "QUIT":
				say("221 bye")
				return
			default:
				say(map[bool]string{true: "230 in", false: "200 well"}[command == "USER"])
			}
		}
	})
}

func TestFTPFile(t *testing.T) {
	s := FTP{Dialog: Dialog{TLS: DefaultTLS(), Login: Login{User: "ftp"}}, Path: "/welcome", Expect: "^hello$"}
	hello := func(w io.Writer) { _, _ = io.WriteString(w, "hello") }
	wantReason(t, ask(t, s, ftpServer(t, hello)), "")
	s.Expect = "bye"
	wantReason(t, ask(t, s, ftpServer(t, hello)), `file "hello" does not match "bye"`)
	endless := func(w io.Writer) {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}
	wantReason(t, ask(t, s, ftpServer(t, endless)), "data: the server sent more than 1024 KiB")
}

func TestDataPort(t *testing.T) {
	for _, tt := range []struct {
		code int
		text string
		port uint16
	}{
		{229, "Entering Extended Passive Mode (|||6446|)", 6446},
		{229, "Entering Extended Passive Mode (|||0|)", 0},
		{229, "Entering Extended Passive Mode", 0},
		{229, "(|||66000|)", 0},
		{227, "Entering Passive Mode (192,0,2,1,25,46).", 6446},
		{227, "=192,0,2,1,25,46", 6446},
		{227, "(192,0,2,1,0,0)", 0},
		{227, "(192,0,2,1,300,1)", 0},
		{227, "well", 0},
	} {
		if port, ok := dataPort(tt.code, tt.text); ok != (tt.port > 0) || ok && port != tt.port {
			t.Errorf("%d %s: %d, %v; want %d", tt.code, tt.text, port, ok, tt.port)
		}
	}
}
