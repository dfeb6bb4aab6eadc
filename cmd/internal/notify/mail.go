package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"

	"holdfast/cmd/internal/event"
)

// stateWait is how long MailOptions.State may take.
const stateWait = time.Second

// A MailTLS says how the connection to the mail server is encrypted.
type MailTLS string

// The values of MailTLS.
const (
	MailAuto     MailTLS = "auto"     // STARTTLS if the server offers it; the certificate is not verified
	MailStartTLS MailTLS = "starttls" // required; without it no mail is sent
	MailImplicit MailTLS = "implicit" // TLS from the first byte, usually on port 465
	MailPlain    MailTLS = "off"
)

// MailOptions configure a Mail.
type MailOptions struct {
	Server         string // host:port
	From           string
	To             []string
	Helo           string
	TLS            MailTLS
	CA             []byte // trusted certificates, PEM; nil: the system's
	User, Password string // "": no authentication
	Timeout        time.Duration
	Director       string
	// State returns the status text that ends each mail; "" if it is not known.
	// If State is nil, mails have no status text.
	State func(ctx context.Context) string
}

// A Mail is a transport that sends all waiting events in one mail.
type Mail struct{ o MailOptions }

// NewMail returns a transport. o.CA holds a certificate unless it is nil.
func NewMail(o MailOptions) *Mail { return &Mail{o} }

// Close implements Transport.
func (m *Mail) Close() {}

// Deliver implements Transport.
func (m *Mail) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if len(events) == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	err := m.send(ctx, m.compose(ctx, events))
	if err == nil {
		return len(events), nil
	}
	if answer := (*textproto.Error)(nil); errors.As(err, &answer) && answer.Code >= 500 {
		return 0, &Refused{Err: err, Count: len(events)}
	}
	return 0, err
}

// send talks to the server.
func (m *Mail) send(ctx context.Context, mail []byte) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", m.o.Server)
	if err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	wire := conn // below TLS: closing it does not block
	defer context.AfterFunc(ctx, func() { _ = wire.Close() })()
	host, _, _ := net.SplitHostPort(m.o.Server)
	if m.o.TLS == MailImplicit {
		conn = tls.Client(conn, m.tls(host))
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	defer c.Close()
	if err := m.greet(c, host); err != nil {
		return err
	}
	if err := m.address(c); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return fmt.Errorf("send the mail: %w", err)
	}
	if _, err := w.Write(mail); err != nil {
		return fmt.Errorf("send the mail: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("send the mail: %w", err)
	}
	_ = c.Quit() // it has the mail already
	return nil
}

// greet says hello to the server, starts TLS and authenticates, as configured.
func (m *Mail) greet(c *smtp.Client, host string) error {
	if err := c.Hello(m.o.Helo); err != nil {
		return fmt.Errorf("greet the server: %w", err)
	}
	if m.o.TLS == MailAuto || m.o.TLS == MailStartTLS {
		offered, _ := c.Extension("STARTTLS")
		switch {
		case offered:
			if err := c.StartTLS(m.tls(host)); err != nil {
				return fmt.Errorf("start TLS: %w", err)
			}
		case m.o.TLS == MailStartTLS:
			return errors.New("the server does not offer STARTTLS")
		}
	}
	if m.o.User != "" {
		if err := c.Auth(smtp.PlainAuth("", m.o.User, m.o.Password, host)); err != nil {
			return fmt.Errorf("authenticate as %s: %w", m.o.User, err)
		}
	}
	return nil
}

func (m *Mail) tls(host string) *tls.Config {
	c := &tls.Config{ServerName: host, InsecureSkipVerify: m.o.TLS == MailAuto}
	if m.o.CA != nil {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM(m.o.CA)
	}
	return c
}

// address sends the sender and the recipients to the server. If the server refuses
// some recipients, the others still get the mail.
func (m *Mail) address(c *smtp.Client) error {
	if err := c.Mail(m.o.From); err != nil {
		return fmt.Errorf("send from %s: %w", m.o.From, err)
	}
	var refusal error
	accepted := 0
	for _, to := range m.o.To {
		if err := c.Rcpt(to); err != nil {
			refusal = cmp.Or(refusal, fmt.Errorf("send to %s: %w", to, err))
		} else {
			accepted++
		}
	}
	if accepted > 0 {
		return nil
	}
	return refusal
}

// compose returns the mail: the events, newest last, and the present status.
func (m *Mail) compose(ctx context.Context, events []event.Event) []byte {
	now := time.Now()
	var b bytes.Buffer
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	header("From", m.o.From)
	header("To", strings.Join(m.o.To, ", "))
	header("Subject", mime.QEncoding.Encode("utf-8", m.subject(events)))
	header("Date", now.Format(time.RFC1123Z))
	header("Message-ID", fmt.Sprintf("<%s@%s>", strings.ToLower(rand.Text()), m.o.Helo))
	header("Auto-Submitted", "auto-generated")
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	fmt.Fprintf(w, "Director %s reports:\n\n", m.o.Director)
	for i := range events {
		describe(&events[i], w.Write)
	}
	if m.o.State != nil {
		stateCtx, cancel := context.WithTimeout(ctx, stateWait)
		defer cancel()
		if state := m.o.State(stateCtx); state != "" {
			fmt.Fprintf(w, "\nNow, at %s:\n\n%s", now.Format(time.RFC1123Z), shorten(state))
		}
	}
	_ = w.Close() // to memory
	return b.Bytes()
}

// maxState is how many bytes of the status a mail has. A thousand services would make it
// half a megabyte.
const maxState = 64 << 10

// shorten leaves out the end of a long status, in whole lines.
func shorten(state string) string {
	if len(state) <= maxState {
		return state
	}
	kept := state[:strings.LastIndexByte(state[:maxState], '\n')+1]
	return fmt.Sprintf("%s... and %d more lines, which holdfast status prints\n", kept, strings.Count(state[len(kept):], "\n"))
}

// describe writes an event as a paragraph.
func describe(e *event.Event, write func([]byte) (int, error)) {
	line := fmt.Sprintf("%s  %s\n", e.At.Format("2006-01-02 15:04:05.000 -0700"), headline(e))
	if text := strings.TrimSuffix(details(e), "\n"); text != "" {
		line += "    " + strings.ReplaceAll(text, "\n", "\n    ") + "\n"
	}
	_, _ = write([]byte(line)) // to memory
}

// details returns what the mail says of an event below its headline.
func details(e *event.Event) string {
	if e.Alert != nil {
		return e.Alert.Text
	}
	return e.Reason
}

// headline returns an event's first line: "group director: BACKUP -> MASTER".
func headline(e *event.Event) string {
	s := e.Kind
	if e.Subject != "" {
		s += " " + e.Subject
	}
	switch {
	case e.Alert != nil:
		return s + ": " + e.Reason
	case e.From != "" && e.To != "":
		return s + ": " + e.From + " -> " + e.To
	case e.To != "":
		return s + ": " + e.To
	}
	return s
}

// importance orders the kinds for the subject of a mail: what others follow from
// comes first.
var importance = map[string]int{"alert": 7, "rival": 6, "group": 5, "service": 4, "instance": 3, "server": 2, "tracker": 1}

// subject returns a subject line with the most important event; of equally
// important ones the newest.
func (m *Mail) subject(events []event.Event) string {
	chief := &events[0]
	for i := range events {
		if importance[events[i].Kind] >= importance[chief.Kind] {
			chief = &events[i]
		}
	}
	s := m.o.Director + ": " + headline(chief)
	if more := len(events) - 1; more > 0 {
		s += fmt.Sprintf(" (and %d more)", more)
	}
	return oneLine(s)
}
