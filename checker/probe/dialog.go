package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Dialog holds the settings that kinds of check share which talk with the server
// in lines: SMTP, IMAP, POP3, FTP and NNTP.
type Dialog struct {
	Implicit bool // TLS from the first byte, as the kind says: "smtps", "imaps"
	StartTLS bool // TLS after a command
	TLS      *TLS // has an effect with one of both
	Login    Login
}

func defaultDialog(implicit bool) Dialog { return Dialog{Implicit: implicit, TLS: DefaultTLS()} }

// kind returns the name of a kind, with an s for TLS from the first byte.
func (s *Dialog) kind(name string) string {
	if s.Implicit {
		return name + "s"
	}
	return name
}

func (s *Dialog) validate(errs *FieldErrors) {
	if s.Implicit && s.StartTLS {
		errs.Addf("starttls", "has no effect where TLS begins with the first byte")
	}
	s.TLS.validate(errs)
	s.Login.validate(errs)
}

// secure returns the settings of TLS; nil for a dialog without TLS.
func (s *Dialog) secure() *TLS {
	if s.Implicit || s.StartTLS {
		return s.TLS
	}
	return nil
}

// A dialogProber holds one dialog in each attempt.
type dialogProber struct {
	*Dialer
	implicit bool
	talk     func(*talk) error // from the greeting on
	bye      string            // the command that ends a dialog that went well; "": none
}

func (s *Dialog) newProber(to Target, bye string, talk func(*talk) error) Prober {
	return &dialogProber{NewDialer(to, s.secure(), ""), s.Implicit, talk, bye}
}

// Probe implements Prober.
func (p *dialogProber) Probe(ctx context.Context) error {
	conn, err := p.Dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	t := &talk{dialer: p.Dialer, conn: conn, wire: conn, in: bufio.NewReaderSize(conn, 1024)}
	t.beside = func(port uint16) (*Conn, error) { return p.Beside(port).Dial(ctx) }
	if p.implicit {
		if err := t.secure(); err != nil {
			return err
		}
	}
	if err := p.talk(t); err != nil {
		return err
	}
	if p.bye != "" {
		t.leave(p.bye)
	}
	return nil
}

// A talk is the dialog of one attempt. The deadline and the number of bytes that
// are read at most are those of its connection.
type talk struct {
	dialer *Dialer
	conn   *Conn
	wire   net.Conn // conn, or TLS over it
	in     *bufio.Reader
	step   string // what is being awaited, for the words of errors
	tags   int    // IMAP: commands sent
	// beside makes a further connection of the attempt, without TLS, to a port of the
	// same server.
	beside func(port uint16) (*Conn, error)
}

// secure makes a TLS handshake. What the server sent before it must have been read:
// it would count as if it came over TLS.
func (t *talk) secure() error {
	if t.in.Buffered() > 0 {
		return errors.New("TLS: the server sent more before the handshake than the answer to the command")
	}
	secure, err := t.dialer.Secure(t.conn)
	if err != nil {
		return err
	}
	t.wire = secure
	t.in.Reset(secure)
	return nil
}

// say sends a line.
func (t *talk) say(step, line string) error {
	t.step = step
	if _, err := io.WriteString(t.wire, line+"\r\n"); err != nil {
		return t.conn.Failed(step, err)
	}
	return nil
}

// line reads a line and returns it without its end.
func (t *talk) line() (string, error) {
	line, err := t.in.ReadString('\n')
	if err != nil {
		return "", t.conn.Failed(t.step, err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// unwanted returns the reason of a line that is not what the step wants.
func (t *talk) unwanted(line, want string) error {
	return fmt.Errorf("%s: %s, want %s", t.step, excerpt([]byte(line)), want)
}

// farewell is how long a server is given to end a dialog. Most do at once.
const farewell = 300 * time.Millisecond

// leave ends a dialog that went well, so that the server has no lost connection to
// log. Its answer says nothing about the server's health, and the verdict does not wait
// long for it.
func (t *talk) leave(command string) {
	if t.say(command, command) == nil && t.conn.socket.SetReadDeadline(time.Now().Add(farewell)) == nil {
		_, _ = io.Copy(io.Discard, t.in)
	}
}

// A reply is a code of three digits with text (RFC 5321 §4.2, RFC 959 §4.2,
// RFC 3977 §3.2).
type reply struct {
	code  int
	lines []string // without the code in the first and the last one
}

// reply reads a reply of one line or several.
func (t *talk) reply() (reply, error) {
	first, err := t.line()
	if err != nil {
		return reply{}, err
	}
	code, text, more := splitReply(first)
	if code == 0 {
		return reply{}, t.unwanted(first, "a code of three digits")
	}
	r := reply{code, []string{text}}
	for more {
		line, err := t.line()
		if err != nil {
			return reply{}, err
		}
		// Lines between the first and the last may have no code (RFC 959 §4.2).
		if c, text, open := splitReply(line); c == code {
			line, more = text, open
		}
		r.lines = append(r.lines, line)
	}
	return r, nil
}

// splitReply takes a line of a reply apart and reports whether more lines follow.
// The code is 0 if the line is not of a reply.
func splitReply(line string) (code int, text string, more bool) {
	if len(line) < 3 || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
		return 0, "", false
	}
	for i := range 3 {
		if line[i] < '0' || line[i] > '9' {
			return 0, "", false
		}
	}
	code, _ = strconv.Atoi(line[:3])
	if code < 100 || len(line) == 3 {
		return code, "", false
	}
	return code, line[4:], line[3] == '-'
}

// want reads a reply that must have one of the codes.
func (t *talk) want(codes ...StatusRange) (reply, error) {
	r, err := t.reply()
	if err != nil || slices.ContainsFunc(codes, func(c StatusRange) bool { return c.Low <= r.code && r.code <= c.High }) {
		return r, err
	}
	wanted := make([]string, len(codes))
	for i, c := range codes {
		wanted[i] = c.String()
	}
	last := r.lines[len(r.lines)-1]
	return r, t.unwanted(fmt.Sprintf("%d %s", r.code, last), strings.Join(wanted, ", "))
}

// greeting reads what the server says first.
func (t *talk) greeting(codes ...StatusRange) error {
	t.step = "greeting"
	_, err := t.want(codes...)
	return err
}

// ask sends a command and reads its reply, which must have one of the codes.
func (t *talk) ask(step, command string, codes ...StatusRange) (reply, error) {
	if err := t.say(step, command); err != nil {
		return reply{}, err
	}
	return t.want(codes...)
}

// startTLS sends the command that begins TLS, and makes the handshake.
func (t *talk) startTLS(command string, code int) error {
	if _, err := t.ask(command, command, only(code)); err != nil {
		return err
	}
	return t.secure()
}

// only is the range of one code.
func only(code int) StatusRange { return StatusRange{code, code} }

// codes notes the faults of ranges of reply codes.
func (e *FieldErrors) codes(key string, ranges []StatusRange) {
	if len(ranges) == 0 {
		e.Addf(key, "at least one code is needed")
	}
	for _, r := range ranges {
		if r.Low < 200 || r.High > 599 || r.Low > r.High {
			e.Addf(key, "%v is not a range of reply codes (200 to 599)", r)
		}
	}
}
