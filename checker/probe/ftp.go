package probe

import (
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
)

// FTP greets a file server (RFC 959). On request it logs in and fetches a file.
type FTP struct {
	Dialog Dialog
	File   string // that is fetched after the login; "": none, and no data connection
	Expect string // regular expression that the file must match; "": any file, an empty one too
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
	if strings.ContainsAny(s.File, "\x00\r\n") {
		errs.Addf("file", "must not contain control characters, like %q", s.File)
	}
	if s.File == "" && s.Expect != "" {
		errs.Addf("expect", "has no effect without file")
	}
	if s.File != "" && s.Dialog.Login.User == "" {
		errs.Addf("file", "no server gives a file without user")
	}
	errs.pattern("expect", s.Expect)
	return errs
}

func (s FTP) prober(_ *Tools, to Target) Prober {
	expect := compile(s.Expect)
	return s.Dialog.newProber(to, "QUIT", func(t *talk) error { return s.talk(t, expect) })
}

// talk holds the dialog up to QUIT.
func (s *FTP) talk(t *talk, expect *regexp.Regexp) error {
	if err := t.greeting(only(220)); err != nil {
		return err
	}
	if s.Dialog.StartTLS { // RFC 4217
		if err := t.startTLS("AUTH TLS", 234); err != nil {
			return err
		}
	}
	if err := s.login(t); err != nil || s.File == "" {
		return err
	}
	content, err := s.fetch(t)
	if err != nil {
		return err
	}
	if expect != nil && !expect.Match(content) {
		return fmt.Errorf("file %s does not match %q", excerpt(content), expect)
	}
	return nil
}

func (s *FTP) login(t *talk) error {
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

// fetch returns the file, byte by byte as the server has it.
func (s *FTP) fetch(t *talk) ([]byte, error) {
	if s.Dialog.secure() != nil { // RFC 4217 §9: the data too
		if _, err := t.ask("PBSZ", "PBSZ 0", only(200)); err != nil {
			return nil, err
		}
		if _, err := t.ask("PROT", "PROT P", only(200)); err != nil {
			return nil, err
		}
	}
	if _, err := t.ask("TYPE", "TYPE I", only(200)); err != nil {
		return nil, err
	}
	port, err := passive(t)
	if err != nil {
		return nil, err
	}
	data, err := t.beside(port)
	if err != nil {
		return nil, fmt.Errorf("data connection to port %d: %w", port, err)
	}
	defer data.Close()
	if _, err := t.ask("RETR", "RETR "+s.File, only(150), only(125)); err != nil {
		return nil, err
	}
	content, err := s.read(t, data)
	if err != nil {
		return nil, err
	}
	t.step = "RETR"
	_, err = t.want(only(226), only(250))
	return content, err
}

// read reads a data connection to its end, over TLS if the commands go over TLS.
func (s *FTP) read(t *talk, data *Conn) ([]byte, error) {
	wire := net.Conn(data)
	if s.Dialog.secure() != nil {
		secure, err := t.dialer.Secure(data)
		if err != nil {
			return nil, fmt.Errorf("data connection: %w", err)
		}
		wire = secure
	}
	content, err := io.ReadAll(wire)
	if err != nil {
		return nil, data.Failed("file", err)
	}
	_ = wire.Close() // the server awaits the end of TLS; nothing is left to lose
	return content, nil
}

// passive asks the server to await a data connection, and returns the port. A server
// that knows no EPSV (RFC 2428) is asked by PASV. The address in that answer does not
// count: a server behind a translator tells one of its own.
func passive(t *talk) (uint16, error) {
	r, err := t.ask("EPSV", "EPSV", only(229), StatusRange{500, 599})
	if err != nil {
		return 0, err
	}
	text := strings.Join(r.lines, " ")
	if r.code != 229 {
		if r, err = t.ask("PASV", "PASV", only(227)); err != nil {
			return 0, err
		}
		text = strings.Join(r.lines, " ")
		if m := passivePort.FindStringSubmatch(text); m != nil {
			high, _ := strconv.ParseUint(m[1], 10, 8)
			low, _ := strconv.ParseUint(m[2], 10, 8)
			return uint16(high<<8 | low), nil
		}
	} else if m := extendedPort.FindStringSubmatch(text); m != nil {
		if port, err := strconv.ParseUint(m[1], 10, 16); err == nil {
			return uint16(port), nil
		}
	}
	return 0, t.unwanted(text, "a port")
}

var (
	extendedPort = regexp.MustCompile(`\(\|\|\|(\d{1,5})\|\)`)
	passivePort  = regexp.MustCompile(`\d+,\d+,\d+,\d+,(\d+),(\d+)`)
)
