package conf

import (
	"fmt"
	"net"
	"net/mail"
	"regexp"
	"strconv"
	"time"

	"holdfast/vrrp/auth"
)

// Mail is how events are sent by mail. Without a Server there is no mail.
type Mail struct {
	Server       string // host:port
	From         string
	To           []string
	Events       []string // of EventKinds
	Helo         string   // the name in HELO
	TLS          MailTLS
	CA, CAText   string // path and content of a PEM file; "": the certificates of the system
	User         string // "": no authentication
	PasswordFile string
	Password     auth.Secret // the content of PasswordFile
	Gather       time.Duration
	Timeout      time.Duration
	Retry        Retry
}

// A MailTLS is how mail is encrypted on its way to the server.
type MailTLS string

// The choices.
const (
	MailAuto     MailTLS = "auto"     // STARTTLS if the server offers it, with any certificate
	MailStartTLS MailTLS = "starttls" // STARTTLS with a valid certificate, or no mail
	MailImplicit MailTLS = "implicit" // TLS from the first byte, with a valid certificate
	MailPlain    MailTLS = "off"
)

var mailTLS = choice(
	option[MailTLS]{"auto", MailAuto},
	option[MailTLS]{"starttls", MailStartTLS},
	option[MailTLS]{"implicit", MailImplicit},
	option[MailTLS]{"off", MailPlain},
)

// localUser is a receiver without a domain, such as root. The mail server knows it.
var localUser = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+-]*$`)

var mailAddress = textual("a mail address", func(s string) (string, error) {
	if localUser.MatchString(s) {
		return s, nil
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return "", fmt.Errorf(`must be a mail address like "noc@example.org", not %s`, quoteShort(s))
	}
	return s, nil
}, func(s string) string { return s })

var hostPort = textual(`a host with a port, like "mail.example.org:25",`, func(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if n, number := strconv.ParseUint(port, 10, 16); err != nil || host == "" || number != nil || n == 0 {
		return "", fmt.Errorf(`must be a host with a port, like "mail.example.org:25", not %s`, quoteShort(s))
	}
	return s, nil
}, func(s string) string { return s })

// visit visits [notify.mail]. The name of the director is the default of helo.
func (m *Mail) visit(t *table, director string) {
	need(t, "server", &m.Server, hostPort)
	need(t, "from", &m.From, mailAddress)
	need(t, "to", &m.To, listOf(mailAddress))
	visitEvents(t, &m.Events, defaultKinds)
	field(t, "helo", &m.Helo, name, director)
	field(t, "tls", &m.TLS, mailTLS, MailAuto)
	field(t, "ca", &m.CA, optionalPath, "")
	field(t, "user", &m.User, text, "")
	field(t, "password_file", &m.PasswordFile, optionalSecretPath, "")
	field(t, "gather", &m.Gather, duration(0, time.Hour), 5*time.Second)
	field(t, "timeout", &m.Timeout, duration(100*time.Millisecond, 10*time.Minute), 30*time.Second)
	m.Retry.visit(t, Retry{Pause: 10 * time.Second, PauseMax: 5 * time.Minute, GiveUp: 4 * time.Hour, Queue: 1024})
	if t.reading() {
		m.check(t)
	}
}

// check checks combinations of keys, and reads the files.
func (m *Mail) check(t *table) {
	if len(m.To) == 0 && t.has("to") && t.ok("to") {
		t.failf("to", "needs at least one address")
	}
	sure := m.TLS == MailStartTLS || m.TLS == MailImplicit
	if !sure && t.ok("tls") {
		why := fmt.Sprintf("with tls = %q, which does not check the certificate of the server", m.TLS)
		if m.CA != "" && t.ok("ca") {
			t.failf("ca", "has no effect %s", why)
		}
		if m.User != "" && t.ok("user") {
			t.failf("user", "must not be sent with its password to an unknown server: use tls = %q or %q", MailStartTLS, MailImplicit)
		}
	}
	switch {
	case m.User != "" && m.PasswordFile == "" && t.ok("user", "password_file"):
		t.failf("user", "requires a password_file")
	case m.User == "" && m.PasswordFile != "" && t.ok("user", "password_file"):
		t.failf("password_file", "has no effect without a user")
	}
	if t.ok("user") {
		m.Password = readSecretFile(t, "password_file", m.PasswordFile)
	}
	m.CAText = readCA(t, m.CA)
}
