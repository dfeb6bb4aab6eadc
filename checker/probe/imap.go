package probe

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// IMAP greets an IMAP4 server (RFC 3501, RFC 9051) and asks for its capabilities. On
// request it logs in and examines a mailbox, which leaves no trace in it.
type IMAP struct {
	Dialog  Dialog
	Mailbox string // that the user must be able to open; "": none
}

func defaultIMAP(implicit bool) IMAP { return IMAP{Dialog: defaultDialog(implicit)} }

// Kind returns "imap" or "imaps".
func (s IMAP) Kind() string { return s.Dialog.kind("imap") }

// Needs returns NeedsPort.
func (IMAP) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s IMAP) Validate() FieldErrors {
	var errs FieldErrors
	s.Dialog.validate(&errs)
	if s.Mailbox != "" && s.Dialog.Login.User == "" {
		errs.Addf("mailbox", "has no effect without user")
	}
	if strings.ContainsAny(s.Mailbox, "\x00\r\n") {
		errs.Addf("mailbox", "must not contain control characters, like %q", s.Mailbox)
	}
	return errs
}

func (s IMAP) prober(_ *Tools, to Target) Prober {
	return s.Dialog.newProber(to, "bye LOGOUT", s.talk)
}

// talk holds the dialog up to LOGOUT.
func (s *IMAP) talk(t *talk) error {
	t.step = "greeting"
	greeting, err := t.imapLine()
	switch {
	case err != nil:
		return err
	case !isIMAP(greeting, "* OK") && !isIMAP(greeting, "* PREAUTH"):
		return t.unwanted(greeting, `"* OK"`)
	}
	able, err := t.capabilities()
	if err != nil {
		return err
	}
	if s.Dialog.StartTLS {
		if !slices.Contains(able, "STARTTLS") {
			return errors.New("CAPABILITY: the server does not offer STARTTLS")
		}
		if _, err := t.tagged("STARTTLS", "STARTTLS"); err != nil {
			return err
		}
		if err := t.secure(); err != nil {
			return err
		}
		// What the server offered before TLS does not count (RFC 9051 §6.2.1).
		if able, err = t.capabilities(); err != nil {
			return err
		}
	}
	return s.open(t, able)
}

// open logs in and opens the mailbox.
func (s *IMAP) open(t *talk, able []string) error {
	login := &s.Dialog.Login
	if login.User == "" {
		return nil
	}
	if slices.Contains(able, "LOGINDISABLED") {
		return errors.New("CAPABILITY: the server allows no LOGIN here")
	}
	if _, err := t.tagged("LOGIN", "LOGIN", login.User, string(login.Password)); err != nil {
		return err
	}
	if s.Mailbox == "" {
		return nil
	}
	_, err := t.tagged("EXAMINE", "EXAMINE", s.Mailbox)
	return err
}

// capabilities returns what the server is able to do, in capitals.
func (t *talk) capabilities() ([]string, error) {
	lines, err := t.tagged("CAPABILITY", "CAPABILITY")
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		if isIMAP(line, "* CAPABILITY") {
			return strings.Fields(strings.ToUpper(line)), nil
		}
	}
	return nil, errors.New("CAPABILITY: the server does not say what it is able to do")
}

// tagged sends a command with strings as its arguments, and returns the untagged
// lines of the answer, which must be OK.
func (t *talk) tagged(step, command string, arguments ...string) (untagged []string, err error) {
	t.tags++
	tag := fmt.Sprintf("a%d", t.tags)
	line := tag + " " + command
	for _, argument := range arguments {
		if text, ok := quotedIMAP(argument); ok {
			line += " " + text
			continue
		}
		if err := t.literal(step, fmt.Sprintf("%s {%d}", line, len(argument))); err != nil {
			return nil, err
		}
		line = argument
	}
	if err := t.say(step, line); err != nil {
		return nil, err
	}
	for {
		line, err := t.imapLine()
		switch {
		case err != nil:
			return nil, err
		case isIMAP(line, tag+" OK"):
			return untagged, nil
		case strings.HasPrefix(line, tag+" "), isIMAP(line, "* BYE"):
			return nil, t.unwanted(strings.TrimPrefix(line, tag+" "), "OK")
		}
		untagged = append(untagged, line)
	}
}

// quotedIMAP writes a string in quotes. A string that has other characters than
// those of ASCII must be a literal (RFC 3501 §4.3).
func quotedIMAP(s string) (quoted string, ok bool) {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return "", false
		}
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`, true
}

// literal sends a line that announces a literal, and waits until the server wants it.
func (t *talk) literal(step, line string) error {
	if err := t.say(step, line); err != nil {
		return err
	}
	for {
		line, err := t.imapLine()
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(line, "+"):
			return nil
		case !strings.HasPrefix(line, "* "), isIMAP(line, "* BYE"):
			return t.unwanted(line, `"+"`)
		}
	}
}

// imapLine reads a line with the literals in it, whose bytes it leaves out.
func (t *talk) imapLine() (string, error) {
	var all string
	for {
		line, err := t.line()
		all += line
		size, announced := literalSize(line)
		if err != nil || !announced {
			return all, err
		}
		if _, err := io.CopyN(io.Discard, t.in, size); err != nil {
			return "", t.conn.Failed(t.step, err)
		}
	}
}

// literalSize returns the size of the literal that a line announces: "{5}" at its end.
func literalSize(line string) (size int64, announced bool) {
	open := strings.LastIndexByte(line, '{')
	if open < 0 || !strings.HasSuffix(line, "}") {
		return 0, false
	}
	n, err := strconv.ParseUint(line[open+1:len(line)-1], 10, 32)
	return int64(n), err == nil
}

// isIMAP reports whether a line begins with words, whatever their case is.
func isIMAP(line, words string) bool {
	if len(line) < len(words) || !strings.EqualFold(line[:len(words)], words) {
		return false
	}
	return len(line) == len(words) || line[len(words)] == ' '
}
