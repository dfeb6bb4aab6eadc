package probe

// FTP greets a file server (RFC 959). On request it logs in. It opens no data
// connection.
type FTP struct {
	Dialog Dialog
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
	login := &s.Dialog.Login
	if login.User == "" {
		return nil
	}
	// 230: the server asks for no password. 232: the certificate was enough.
	r, err := t.ask("USER", "USER "+login.User, only(331), only(230), only(232))
	if err != nil || r.code != 331 {
		return err
	}
	// 202: the server needs no password.
	_, err = t.ask("PASS", "PASS "+string(login.Password), only(230), only(202))
	return err
}
