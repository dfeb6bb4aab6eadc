package probe

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
)

// Memcached sends one command to a memcached server by its text protocol
// (doc/protocol.txt of memcached).
type Memcached struct {
	Login          // for servers that run with --auth-file
	Command string // "version" or "stats"
	Expect  string // regular expression that a line of the answer must match; "": any
	TLS     *TLS   // nil: without TLS
}

var defaultMemcached = Memcached{Command: "version"}

// Kind returns "memcached".
func (Memcached) Kind() string { return "memcached" }

// Needs returns NeedsPort.
func (Memcached) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s Memcached) Validate() FieldErrors {
	var errs FieldErrors
	s.Login.validate(&errs)
	if s.Command != "version" && s.Command != "stats" {
		errs.Addf("command", `must be "version" or "stats", not %q`, s.Command)
	}
	errs.pattern("expect", s.Expect)
	s.TLS.validate(&errs)
	return errs
}

func (s Memcached) prober(_ *Tools, to Target) Prober {
	p := &memcachedProber{Dialer: NewDialer(to, s.TLS, ""), command: s.Command, expect: compile(s.Expect)}
	if s.User != "" {
		// The name of the key has no meaning: the value of the first "set" is the login.
		login := s.User + " " + string(s.Password)
		p.login = fmt.Appendf(nil, "set login 0 0 %d\r\n%s\r\n", len(login), login)
	}
	return p
}

type memcachedProber struct {
	*Dialer
	login   []byte // nil: none
	command string
	expect  *regexp.Regexp // nil: anything
}

// Probe implements Prober.
func (p *memcachedProber) Probe(ctx context.Context) error {
	raw, err := p.Dial(ctx)
	if err != nil {
		return err
	}
	defer raw.Close()
	conn, err := p.Secure(raw)
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(conn, 4<<10)
	if p.login != nil {
		if line, err := p.ask(raw, conn, r, "login", p.login); err != nil {
			return err
		} else if string(line) != "STORED" {
			return fmt.Errorf("login: answer %s", excerpt(line))
		}
	}
	return p.question(raw, conn, r)
}

// question sends the command and judges the answer.
func (p *memcachedProber) question(raw *Conn, conn net.Conn, r *bufio.Reader) error {
	line, err := p.ask(raw, conn, r, p.command, []byte(p.command+"\r\n"))
	if err != nil {
		return err
	}
	well := p.expect == nil || p.expect.Match(line)
	for p.command == "stats" && bytes.HasPrefix(line, []byte("STAT ")) {
		if line, err = memcachedLine(r); err != nil {
			return raw.Failed(p.command, err)
		}
		well = well || p.expect.Match(line)
	}
	switch {
	case p.command == "stats" && string(line) != "END",
		p.command == "version" && !bytes.HasPrefix(line, []byte("VERSION ")):
		return fmt.Errorf("%s: answer %s", p.command, excerpt(line))
	case !well && p.command == "stats":
		return fmt.Errorf("stats: no line of the answer matches %q", p.expect)
	case !well:
		return fmt.Errorf("version: answer %s does not match %q", excerpt(line), p.expect)
	}
	return nil
}

// ask sends a command and returns the first line of the answer, which the next read
// overwrites.
func (p *memcachedProber) ask(raw *Conn, conn net.Conn, r *bufio.Reader, step string, command []byte) ([]byte, error) {
	if _, err := conn.Write(command); err != nil {
		return nil, raw.Failed(step, err)
	}
	line, err := memcachedLine(r)
	if err != nil {
		return nil, raw.Failed(step, err)
	}
	return line, nil
}

// memcachedLine reads a line without its end.
func memcachedLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, errors.New("the answer is not that of a memcached server: it has a long line")
	}
	return bytes.TrimRight(line, "\r\n"), err
}
