package probe

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// dialogue serves one connection: it sends the lines that begin with ">", and
// expects those that begin with "<". A line of the client that differs goes into
// the test's errors. At the end it waits for the client to go.
func dialogue(t *testing.T, lines string) Target {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		// Lines that follow each other arrive together.
		var say strings.Builder
		speak := func() { _, _ = io.WriteString(conn, say.String()); say.Reset() }
		for line := range strings.Lines(lines) {
			text := strings.TrimRight(line[1:], "\n")
			if line[0] == '>' {
				say.WriteString(text + "\r\n")
				continue
			}
			speak()
			got, err := in.ReadString('\n')
			if got = strings.TrimRight(got, "\r\n"); err != nil || got != text {
				t.Errorf("the client said %q, %v; want %q", got, err, text)
				return
			}
		}
		speak()
		conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, in)
	}()
	return at(l.Addr())
}

func TestDialogs(t *testing.T) {
	smtp := func(change func(*SMTP)) SMTP {
		s := defaultSMTP(false)
		s.Hello = "lvs1"
		change(&s)
		return s
	}
	plain := func(*SMTP) {}
	ann := Login{User: "ann", Password: "secret"}
	tests := []struct {
		name   string
		s      Settings
		lines  string
		reason string
	}{
		{"smtp of several lines", smtp(plain), ">220-one\n>220 two\n<EHLO lvs1\n>250-SIZE\n>250\n<QUIT\n>221 bye", ""},
		{"smtp without extensions", smtp(plain), ">220 hi\n<EHLO lvs1\n>502 what\n<HELO lvs1\n>250 well\n<QUIT", ""},
		{"smtp that is closed", smtp(plain), ">554 no service", `greeting: "554 no service", want 220`},
		{"no smtp", smtp(plain), ">SSH-2.0-x", `greeting: "SSH-2.0-x", want a code of three digits`},
		{"smtp ends", smtp(plain), ">220 hi\n<EHLO lvs1", "EHLO: the server closed the connection too early"},
		{"smtp ends within a reply", smtp(plain), ">220 hi\n<EHLO lvs1\n>250-one", "EHLO: the server closed the connection too early"},
		{
			"smtp with a login of old", smtp(func(s *SMTP) { s.Dialog.Login = ann }),
			">220 hi\n<EHLO lvs1\n>250-x\n>250 AUTH=LOGIN\n<AUTH LOGIN\n>334 VXNlcm5hbWU6\n<YW5u\n>334 UGFzc3dvcmQ6\n<c2VjcmV0\n>235 well\n<QUIT", "",
		},
		{
			"smtp without STARTTLS", smtp(func(s *SMTP) { s.Dialog.StartTLS = true }),
			">220 hi\n<EHLO lvs1\n>250-x\n>250 AUTH PLAIN\n", "EHLO: the server does not offer STARTTLS",
		},
		{
			"a bounce to a user", smtp(func(s *SMTP) { s.To = "ann@example.com" }),
			">220 hi\n<EHLO lvs1\n>250 x\n<MAIL FROM:<>\n>250 x\n<RCPT TO:<ann@example.com>\n>550 unknown", `RCPT TO: "550 unknown", want 200-299`,
		},
		{"imap", defaultIMAP(false), ">* ok hi\n<a1 CAPABILITY\n>* capability IMAP4rev1\n>a1 ok\n<bye LOGOUT", ""},
		{"imap says no", defaultIMAP(false), ">* BYE later", `greeting: "* BYE later", want "* OK"`},
		{"imap without capabilities", defaultIMAP(false), ">* OK\n<a1 CAPABILITY\n>a1 OK", "CAPABILITY: the server does not say what it is able to do"},
		{
			"imap with strange names", IMAP{Dialog: Dialog{TLS: DefaultTLS(), Login: Login{User: `a"b\c`, Password: "häh"}}, Mailbox: "x"},
			">* OK\n<a1 CAPABILITY\n>* CAPABILITY IMAP4rev1\n>a1 OK\n<a2 LOGIN \"a\\\"b\\\\c\" {4}\n>+ go on\n<häh\n>a2 OK\n" +
				"<a3 EXAMINE \"x\"\n>* FLAGS {4}\n>a3\n>)\n>a3 OK\n<bye LOGOUT", "",
		},
		{
			"imap wants no literal", IMAP{Dialog: Dialog{TLS: DefaultTLS(), Login: Login{User: "é"}}},
			">* OK\n<a1 CAPABILITY\n>* CAPABILITY IMAP4rev1\n>a1 OK\n<a2 LOGIN {2}\n>a2 BAD no", `LOGIN: "a2 BAD no", want "+"`,
		},
		{"imap ends in between", defaultIMAP(false), ">* OK\n<a1 CAPABILITY\n>* BYE overloaded", `CAPABILITY: "* BYE overloaded", want OK`},
		{
			"imap allows no login", IMAP{Dialog: Dialog{TLS: DefaultTLS(), Login: ann}}, ">* OK\n<a1 CAPABILITY\n>* CAPABILITY IMAP4rev1 LOGINDISABLED\n>a1 OK",
			"CAPABILITY: the server allows no LOGIN here",
		},
		{"pop", defaultPOP(false), ">+OK\n<QUIT\n>+OK", ""},
		{"pop is locked", POP{Dialog{TLS: DefaultTLS(), Login: ann}}, ">+OK\n<USER ann\n>+OK\n<PASS secret\n>-ERR [IN-USE] locked", `PASS: "-ERR [IN-USE] locked", want "+OK"`},
		{"ftp without a password", FTP{Dialog: Dialog{TLS: DefaultTLS(), Login: Login{User: "ftp"}}}, ">220-one\n> 220 two\n>220 three\n<USER ftp\n>230 in\n<QUIT", ""},
		{"nntp without a password", NNTP{Dialog: Dialog{TLS: DefaultTLS(), Login: ann}, Group: "a.b"}, ">201 hi\n<AUTHINFO USER ann\n>281 in\n<GROUP a.b\n>411 none", `GROUP: "411 none", want 211`},
		{
			"more before the handshake", NNTP{Dialog: Dialog{StartTLS: true, TLS: DefaultTLS()}}, ">200 hi\n<STARTTLS\n>382 go\n>281 in",
			"TLS: the server sent more before the handshake than the answer to the command",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantReason(t, ask(t, tt.s, dialogue(t, tt.lines)), tt.reason) })
	}
}

// The verdict does not wait for a server that takes its time to say goodbye.
func TestDialogEndsWithoutAFarewell(t *testing.T) {
	to := answerAll(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "+OK hi\r\n")
		_, _ = io.Copy(io.Discard, conn) // until the check hangs up
	})
	to.Timeout = time.Hour
	wantReason(t, ask(t, defaultPOP(false), to), "")
}

// forever serves connections to which it writes the same text again and again.
func forever(t *testing.T, text string, pause time.Duration) Target {
	t.Helper()
	return answerAll(t, func(conn net.Conn) {
		for {
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
			time.Sleep(pause) // the pace is what the check must bear
		}
	})
}

// One deadline and one number of bytes bound a dialog as a whole.
func TestDialogIsBounded(t *testing.T) {
	for _, s := range []Settings{defaultSMTP(false), defaultIMAP(false), defaultPOP(false), defaultFTP(false), defaultNNTP(false)} {
		t.Run(s.Kind(), func(t *testing.T) {
			t.Parallel()
			slow := forever(t, "2", 50*time.Millisecond)
			slow.Timeout = hung
			wantReason(t, ask(t, s, slow), "greeting: timeout after 500ms")
			wantReason(t, ask(t, s, forever(t, "220-endless", 0)), "greeting: the server sent more than 1024 KiB")
		})
	}
	t.Run("lines", func(t *testing.T) {
		wantReason(t, ask(t, defaultSMTP(false), forever(t, "220-endless\n", 0)), "greeting: the server sent more than 1024 KiB")
	})
}
