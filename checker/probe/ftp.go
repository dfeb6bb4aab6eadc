package probe

// FTP greets a file server (RFC 959). On request it logs in, and fetches a file.
type FTP struct {
	Dialog Dialog
	Path   string // of a file that is fetched; "": none
	Expect string // regular expression that the file must match; "": any file
}

func defaultFTP(implicit bool) FTP { return FTP{Dialog: defaultDialog(implicit)} }

// Kind returns "ftp" or "ftps".
func (s FTP) Kind() string { return s.Dialog.kind("ftp") }

// Needs returns NeedsPort.
func (FTP) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s FTP) Validate() FieldErrors {
	var errs FieldErrors
	s.Dialog.validate(&errs)
	errs.pattern("expect", s.Expect)
	switch {
	case !isText([]byte(s.Path)):
		errs.Addf("path", "must not have control characters")
	case s.Path != "" && s.Dialog.Login.User == "":
		errs.Addf("path", "a file is fetched by a user: set user, such as anonymous")
	case s.Expect != "" && s.Path == "":
		errs.Addf("expect", "has no effect without path")
	}
	return errs
}

func (s FTP) prober(_ *Tools, to Target) Prober {
	return s.Dialog.newProber(to, "QUIT", s.talk)
}

// talk holds the dialog up to QUIT.
func (s *FTP) talk(t *talk) error {
	if err := t.greeting(only(220)); err != nil {
		return err
	}
	if s.Dialog.StartTLS { // RFC 4217
		if err := t.startTLS("AUTH TLS", 234); err != nil {
			return err
		}
	}
	if s.Dialog.Login.User == "" {
		return nil
	}
	if err := s.login(t); err != nil || s.Path == "" {
		return err
	}
	return s.fetch(t)
}

func (s *FTP) login(t *talk) error {
	login := &s.Dialog.Login
	// 230: the server asks for no password. 232: the certificate was enough.
	r, err := t.ask("USER", "USER "+login.User, only(331), only(230), only(232))
	if err != nil || r.code != 331 {
		return err
	}
	// 202: the server needs no password.
	_, err = t.ask("PASS", "PASS "+string(login.Password), only(230), only(202))
	return err
}
