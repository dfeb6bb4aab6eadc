package probe

import (
	"encoding/base64"
	"errors"
	"os"
	"slices"
	"strings"
)

// SMTP greets a mail server (RFC 5321) or one that takes mail for submission
// (RFC 6409). On request it logs in, and names a sender and a recipient. It never
// sends mail.
type SMTP struct {
	Dialog   Dialog
	Hello    string        // argument of EHLO; "": the name of this host
	Auth     string        // mechanism of the login: "auto", "plain" (RFC 4616) or "login"
	From, To string        // sender and recipient; To "": none is named
	Code     []StatusRange // codes of the reply to the last command before QUIT
}

func defaultSMTP(implicit bool) SMTP {
	return SMTP{Dialog: defaultDialog(implicit), Auth: "auto", Code: []StatusRange{{200, 299}}}
}

// SMTPAuth are the values of SMTP.Auth. "auto" takes the first of the others that the
// server offers.
func SMTPAuth() []string { return []string{"auto", "plain", "login"} }

// Kind returns "smtp" or "smtps".
func (s SMTP) Kind() string { return s.Dialog.kind("smtp") }

// Needs returns NeedsPort.
func (SMTP) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s SMTP) Validate() FieldErrors {
	var errs FieldErrors
	s.Dialog.validate(&errs)
	if !isVisible(s.Hello) {
		errs.Addf("hello", "%q is not a host name", s.Hello)
	}
	if !slices.Contains(SMTPAuth(), s.Auth) {
		errs.Addf("auth", "must be one of %s, not %q", strings.Join(SMTPAuth(), " "), s.Auth)
	}
	errs.mailAddress("from", s.From)
	errs.mailAddress("to", s.To)
	if s.From != "" && s.To == "" {
		errs.Addf("from", "has no effect without to")
	}
	errs.codes("code", s.Code)
	return errs
}

// mailAddress notes a fault of a key if s, which may be "", would end the command
// that it is sent in.
func (e *FieldErrors) mailAddress(key, s string) {
	if !isVisible(s) || strings.ContainsAny(s, "<>") {
		e.Addf(key, "%q is not a mail address", s)
	}
}

func (s SMTP) prober(_ *Tools, to Target) Prober {
	if s.Hello == "" {
		s.Hello = hostName()
	}
	return s.Dialog.newProber(to, "QUIT", s.talk)
}

// hostName returns the name of this host.
func hostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

// talk holds the dialog up to QUIT.
func (s *SMTP) talk(t *talk) error {
	if err := t.greeting(only(220)); err != nil {
		return err
	}
	login, mail := s.Dialog.Login.User != "", s.To != ""
	offers, err := s.hello(t, s.codes(!s.Dialog.StartTLS && !login && !mail))
	if err != nil {
		return err
	}
	if s.Dialog.StartTLS {
		if !offered(offers, "STARTTLS") {
			return errors.New("EHLO: the server does not offer STARTTLS")
		}
		if err := t.startTLS("STARTTLS", 220); err != nil {
			return err
		}
		// What the server offered before TLS does not count (RFC 3207 §4.2).
		if offers, err = s.hello(t, s.codes(!login && !mail)); err != nil {
			return err
		}
	}
	if login {
		if err := s.login(t, offers, s.codes(!mail)); err != nil {
			return err
		}
	}
	if mail {
		return s.address(t)
	}
	return nil
}

// codes returns the codes of the reply to a command that is the last one, or those
// of success.
func (s *SMTP) codes(last bool) []StatusRange {
	if last {
		return s.Code
	}
	return []StatusRange{{200, 299}}
}

// hello sends EHLO and returns what the server offers. A server that knows no
// extensions gets HELO (RFC 5321 §3.2).
func (s *SMTP) hello(t *talk, codes []StatusRange) ([]string, error) {
	extensions := s.Dialog.StartTLS || s.Dialog.Login.User != ""
	known := codes
	if !extensions {
		known = append(slices.Clone(codes), only(500), only(502))
	}
	r, err := t.ask("EHLO", "EHLO "+s.Hello, known...)
	if err == nil && !extensions && (r.code == 500 || r.code == 502) {
		r, err = t.ask("HELO", "HELO "+s.Hello, codes...)
	}
	return r.lines, err
}

// offered reports whether EHLO offers an extension, and with which arguments.
// "AUTH=" is how servers offered AUTH before it was a standard.
func offered(offers []string, extension string, argument ...string) bool {
	for _, line := range offers {
		words := strings.Fields(strings.ToUpper(strings.Replace(line, "=", " ", 1)))
		if len(words) > 0 && words[0] == extension && (len(argument) == 0 || slices.Contains(words[1:], argument[0])) {
			return true
		}
	}
	return false
}

// login logs in (RFC 4954).
func (s *SMTP) login(t *talk, offers []string, codes []StatusRange) error {
	user, password := s.Dialog.Login.User, string(s.Dialog.Login.Password)
	code := base64.StdEncoding.EncodeToString
	for _, mechanism := range []string{"plain", "login"} {
		if s.Auth != mechanism && (s.Auth != "auto" || !offered(offers, "AUTH", strings.ToUpper(mechanism))) {
			continue
		}
		if mechanism == "plain" {
			_, err := t.ask("AUTH PLAIN", "AUTH PLAIN "+code([]byte("\x00"+user+"\x00"+password)), codes...)
			return err
		}
		if _, err := t.ask("AUTH LOGIN", "AUTH LOGIN", only(334)); err != nil {
			return err
		}
		if _, err := t.ask("AUTH LOGIN", code([]byte(user)), only(334)); err != nil {
			return err
		}
		_, err := t.ask("AUTH LOGIN", code([]byte(password)), codes...)
		return err
	}
	return errors.New("EHLO: the server offers neither AUTH PLAIN nor AUTH LOGIN")
}

// address names the sender and the recipient of a mail that is not sent.
func (s *SMTP) address(t *talk) error {
	if _, err := t.ask("MAIL FROM", "MAIL FROM:<"+s.From+">", only(250)); err != nil {
		return err
	}
	_, err := t.ask("RCPT TO", "RCPT TO:<"+s.To+">", s.Code...)
	return err
}
