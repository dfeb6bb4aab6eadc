package probe

import "strings"

// POP greets a POP3 server (RFC 1939). On request it logs in, which locks the
// user's mailbox for this moment.
type POP struct {
	Dialog Dialog
}

func defaultPOP(implicit bool) POP { return POP{Dialog: defaultDialog(implicit)} }

// Kind returns "pop" or "pops".
func (s POP) Kind() string { return s.Dialog.kind("pop") }

// Needs returns NeedsPort.
func (POP) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s POP) Validate() FieldErrors {
	var errs FieldErrors
	s.Dialog.validate(&errs)
	return errs
}

func (s POP) prober(_ *Tools, to Target) Prober {
	return s.Dialog.newProber(to, "QUIT", s.talk)
}

// talk holds the dialog up to QUIT.
func (s *POP) talk(t *talk) error {
	t.step = "greeting"
	if err := t.positive(); err != nil {
		return err
	}
	if s.Dialog.StartTLS {
		if err := t.order("STLS", "STLS"); err != nil {
			return err
		}
		if err := t.secure(); err != nil {
			return err
		}
	}
	login := &s.Dialog.Login
	if login.User == "" {
		return nil
	}
	if err := t.order("USER", "USER "+login.User); err != nil {
		return err
	}
	return t.order("PASS", "PASS "+string(login.Password))
}

// order sends a command that must succeed.
func (t *talk) order(step, command string) error {
	if err := t.say(step, command); err != nil {
		return err
	}
	return t.positive()
}

// positive reads a line that must say success.
func (t *talk) positive() error {
	line, err := t.line()
	if err == nil && line != "+OK" && !strings.HasPrefix(line, "+OK ") {
		err = t.unwanted(line, `"+OK"`)
	}
	return err
}
