package notify

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/cmd/internal/event"
)

// A mail that is given up while it is sent ends at once, encrypted or not.
func TestMailIsInterrupted(t *testing.T) {
	for _, way := range []MailTLS{MailPlain, MailImplicit} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			if conn, err := listener.Accept(); err == nil {
				defer conn.Close()
				cancel() // and says nothing
				_, _ = io.Copy(io.Discard, conn)
			}
		}()
		m := NewMail(MailOptions{Server: listener.Addr().String(), TLS: way, Timeout: time.Hour})
		if n, err := m.Deliver(ctx, []event.Event{{Subject: "a"}}); n != 0 || err == nil {
			t.Errorf("%s: delivered %d: %v", way, n, err)
		}
	}
}

// A mailServer is as much of an SMTP server as these tests need. It keeps the
// dialogue and the mails that it was given.
type mailServer struct {
	address  string
	tls      *tls.Config // for STARTTLS; nil: it is not offered
	implicit bool
	refuse   map[string]string // answers by the beginning of a command
	mails    chan string

	mu       sync.Mutex
	commands []string
}

func startMailServer(t *testing.T, change func(*mailServer)) *mailServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{address: listener.Addr().String(), mails: make(chan string, 10)}
	if change != nil {
		change(s)
	}
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			sessions.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		sessions.Wait()
	})
	return s
}

func (s *mailServer) serve(conn net.Conn) {
	defer func() { conn.Close() }()
	if s.implicit {
		conn = tls.Server(conn, s.tls)
	}
	lines := bufio.NewReader(conn)
	answer := func(text string) { fmt.Fprintf(conn, "%s\r\n", text) }
	answer("220 fake")
	for encrypted := s.implicit; ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		s.mu.Lock()
		s.commands = append(s.commands, line)
		s.mu.Unlock()
		verb, _, _ := strings.Cut(line, " ")
		if i := strings.IndexByte(line, '>'); i > 0 {
			verb = line[:i+1]
		}
		if text := s.refuse[verb]; text != "" {
			answer(text)
			continue
		}
		switch word, _, _ := strings.Cut(line, " "); word {
		case "EHLO":
			answer("250-fake")
			if s.tls != nil && !encrypted {
				answer("250-STARTTLS")
			}
			answer("250-AUTH PLAIN")
			answer("250 8BITMIME")
		case "STARTTLS":
			answer("220 go")
			conn = tls.Server(conn, s.tls)
			lines, encrypted = bufio.NewReader(conn), true
		case "AUTH":
			answer("235 welcome")
		case "DATA":
			answer("354 go")
			var text strings.Builder
			for {
				line, err := lines.ReadString('\n')
				if err != nil || line == ".\r\n" {
					break
				}
				text.WriteString(strings.TrimPrefix(line, "."))
			}
			s.mails <- text.String()
			answer("250 taken")
		case "QUIT":
			answer("221 bye")
			return
		default:
			answer("250 fine")
		}
	}
}

func (s *mailServer) dialogue() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.commands...)
}

func mailTo(s *mailServer, change func(*MailOptions)) *Mail {
	o := MailOptions{
		Server: s.address, From: "lvs1@example.org", To: []string{"a@example.org", "b@example.org"}, Helo: "lvs1",
		TLS: MailAuto, Timeout: testTimeout, Director: "lvs1",
	}
	if change != nil {
		change(&o)
	}
	return NewMail(o)
}

var failover = []event.Event{
	{Kind: "instance", At: time.Date(2026, 3, 1, 2, 0, 0, 1e6, time.UTC), Subject: "outside", From: "BACKUP", To: "MASTER", Reason: "no advert from 10.0.0.2 for 305ms"},
	{Kind: "group", At: time.Date(2026, 3, 1, 2, 0, 0, 2e6, time.UTC), Subject: "diréctor", From: "BACKUP", To: "MASTER", Reason: "outside: no advert"},
	{Kind: "server", At: time.Date(2026, 3, 1, 2, 0, 1, 0, time.UTC), Subject: "web/rs1", To: "UP"},
}

func TestMailTellsWhatHappenedAndHowItIs(t *testing.T) {
	s := startMailServer(t, nil)
	m := mailTo(s, func(o *MailOptions) { o.State = func(context.Context) string { return "VRRP\n.  outside  MASTER\n" } })
	if n, err := m.Deliver(t.Context(), failover); n != 3 || err != nil {
		t.Fatalf("delivered %d: %v", n, err)
	}
	want := []string{"EHLO lvs1", "MAIL FROM:<lvs1@example.org> BODY=8BITMIME", "RCPT TO:<a@example.org>", "RCPT TO:<b@example.org>", "DATA", "QUIT"}
	if diff := cmp.Diff(want, s.dialogue()); diff != "" {
		t.Errorf("the session (-want +got):\n%s", diff)
	}
	got, err := mail.ReadMessage(strings.NewReader(<-s.mails))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"From": "lvs1@example.org", "To": "a@example.org, b@example.org", "Auto-Submitted": "auto-generated",
		"Subject": "=?utf-8?q?lvs1:_group_dir=C3=A9ctor:_BACKUP_->_MASTER_(and_2_more)?=",
	} {
		if got := got.Header.Get(name); got != want {
			t.Errorf("header %s: %q, want %q", name, got, want)
		}
	}
	if _, err := got.Header.Date(); err != nil || !strings.HasSuffix(got.Header.Get("Message-ID"), "@lvs1>") {
		t.Errorf("date %v, id %q", err, got.Header.Get("Message-ID"))
	}
	body, err := io.ReadAll(quotedprintable.NewReader(got.Body))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(body), "\r\n", "\n")
	before, now, _ := strings.Cut(text, "\nNow, at ")
	wantText := `Director lvs1 reports:

2026-03-01 02:00:00.001 +0000  instance outside: BACKUP -> MASTER
    no advert from 10.0.0.2 for 305ms
2026-03-01 02:00:00.002 +0000  group diréctor: BACKUP -> MASTER
    outside: no advert
2026-03-01 02:00:01.000 +0000  server web/rs1: UP
`
	if diff := cmp.Diff(wantText, before); diff != "" {
		t.Errorf("the text (-want +got):\n%s", diff)
	}
	if !strings.HasSuffix(now, ":\n\nVRRP\n.  outside  MASTER\n") {
		t.Errorf("the present state: %q", now)
	}
}

// certificate returns a server's TLS for the address 127.0.0.1, and who signed it.
func certificate(t *testing.T) (*tls.Config, []byte) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	return &tls.Config{Certificates: server.TLS.Certificates},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// The status of many services does not make a mail of half a megabyte.
func TestMailHasABound(t *testing.T) {
	s := startMailServer(t, nil)
	m := mailTo(s, func(o *MailOptions) {
		o.State = func(context.Context) string { return strings.Repeat(strings.Repeat("x", 99)+"\n", 1000) }
	})
	if n, err := m.Deliver(t.Context(), failover); n != 3 || err != nil {
		t.Fatalf("delivered %d: %v", n, err)
	}
	const end = "... and 345 more lines, which holdfast status prints"
	if text := <-s.mails; len(text) > 100<<10 || !strings.Contains(text, end) {
		t.Errorf("the mail has %d bytes and ends with %q", len(text), text[len(text)-200:])
	}
}

func TestMailTLS(t *testing.T) {
	config, ca := certificate(t)
	for _, test := range []struct {
		name             string
		way              MailTLS
		offers, implicit bool
		ca               []byte
		want             string // an error
		encrypted        bool
	}{
		{name: "auto, offered", way: MailAuto, offers: true, encrypted: true},
		{name: "auto, not offered", way: MailAuto},
		{name: "off, offered", way: MailPlain, offers: true},
		{name: "starttls", way: MailStartTLS, offers: true, ca: ca, encrypted: true},
		{name: "starttls, not offered", way: MailStartTLS, ca: ca, want: "the server does not offer STARTTLS"},
		{name: "starttls, of somebody else", way: MailStartTLS, offers: true, want: "certificate signed by unknown authority"},
		{name: "implicit", way: MailImplicit, offers: true, implicit: true, ca: ca},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startMailServer(t, func(s *mailServer) {
				if s.implicit = test.implicit; test.offers {
					s.tls = config
				}
			})
			m := mailTo(s, func(o *MailOptions) { o.TLS, o.CA = test.way, test.ca })
			_, err := m.Deliver(t.Context(), failover)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if got := strings.Contains(strings.Join(s.dialogue(), "\n"), "STARTTLS"); got != (test.encrypted || test.offers && test.want != "") {
				t.Errorf("STARTTLS was said: %t:\n%q", got, s.dialogue())
			}
		})
	}
}

func TestMailAuthenticates(t *testing.T) {
	s := startMailServer(t, nil)
	m := mailTo(s, func(o *MailOptions) { o.User, o.Password = "me", "pw" })
	if n, err := m.Deliver(t.Context(), failover); n != 3 || err != nil {
		t.Fatalf("delivered %d: %v", n, err)
	}
	if got := s.dialogue()[1]; got != "AUTH PLAIN AG1lAHB3" {
		t.Errorf("said %q", got)
	}
}

// A mail that the server refuses permanently is not tried again. A mail that it
// refuses for now is.
func TestMailRefused(t *testing.T) {
	for _, test := range []struct {
		name, verb, answer string
		n, dropped         int
		want               string
	}{
		{"for good", "MAIL FROM:<lvs1@example.org>", "550 no such sender", 0, 3, `550 "no such sender"`},
		{"for now", "MAIL FROM:<lvs1@example.org>", "451 greylisted", 0, 0, `451 "greylisted"`},
		{"one recipient", "RCPT TO:<a@example.org>", "550 no such user", 3, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startMailServer(t, func(s *mailServer) { s.refuse = map[string]string{test.verb: test.answer} })
			n, err := mailTo(s, nil).Deliver(t.Context(), failover)
			refused := &Refused{}
			errors.As(err, &refused)
			if n != test.n || refused.Count != test.dropped || (err != nil || test.want != "") && (err == nil || !strings.HasSuffix(err.Error(), test.want)) {
				t.Errorf("delivered %d, refused %d: %v; want %d, %d, %s", n, refused.Count, err, test.n, test.dropped, test.want)
			}
		})
	}
}

func TestMailDoesNotWaitForEver(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	m := mailTo(&mailServer{address: listener.Addr().String()}, func(o *MailOptions) { o.Timeout = 50 * time.Millisecond })
	if n, err := m.Deliver(t.Context(), failover); n != 0 || err == nil {
		t.Errorf("delivered %d: %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m = mailTo(&mailServer{address: listener.Addr().String()}, nil)
	if n, err := m.Deliver(ctx, failover); n != 0 || err == nil {
		t.Errorf("cancelled: delivered %d: %v", n, err)
	}
}
