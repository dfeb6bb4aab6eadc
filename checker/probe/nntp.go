package probe

// NNTP greets a news server (RFC 3977). On request it logs in (RFC 4643) and asks
// for a group.
type NNTP struct {
	Dialog Dialog
	Group  string // that the server must have; "": none
}

func defaultNNTP(implicit bool) NNTP { return NNTP{Dialog: defaultDialog(implicit)} }

// Kind returns "nntp" or "nntps".
func (s NNTP) Kind() string { return s.Dialog.kind("nntp") }

// Needs returns NeedsPort.
func (NNTP) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s NNTP) Validate() FieldErrors {
	var errs FieldErrors
	s.Dialog.validate(&errs)
	if !isVisible(s.Group) {
		errs.Addf("group", "%q is not the name of a group", s.Group)
	}
	return errs
}

func (s NNTP) prober(_ *Tools, to Target) Prober {
	return s.Dialog.newProber(to, "QUIT", s.talk)
}

// talk holds the dialog up to QUIT.
func (s *NNTP) talk(t *talk) error {
	if err := t.greeting(only(200), only(201)); err != nil {
		return err
	}
	if s.Dialog.StartTLS { // RFC 4642
		if err := t.startTLS("STARTTLS", 382); err != nil {
			return err
		}
	}
	if err := s.login(t); err != nil || s.Group == "" {
		return err
	}
	_, err := t.ask("GROUP", "GROUP "+s.Group, only(211))
	return err
}

func (s *NNTP) login(t *talk) error {
	login := &s.Dialog.Login
	if login.User == "" {
		return nil
	}
	r, err := t.ask("AUTHINFO USER", "AUTHINFO USER "+login.User, only(381), only(281))
	if err != nil || r.code == 281 {
		return err
	}
	_, err = t.ask("AUTHINFO PASS", "AUTHINFO PASS "+string(login.Password), only(281))
	return err
}
