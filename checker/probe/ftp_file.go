package probe

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// fetch has the server send the file, and holds it to what is expected. The data come
// over a connection to the server of the check, whatever address the server says: it may
// be behind NAT, and nobody shall send us elsewhere.
func (s *FTP) fetch(t *talk) error {
	if t.wire != net.Conn(t.conn) { // RFC 4217: over TLS like the commands
		if _, err := t.ask("PBSZ", "PBSZ 0", only(200)); err != nil {
			return err
		}
		if _, err := t.ask("PROT", "PROT P", only(200)); err != nil {
			return err
		}
	}
	if _, err := t.ask("TYPE", "TYPE I", only(200)); err != nil {
		return err
	}
	port, err := passive(t)
	if err != nil {
		return err
	}
	data, err := t.also(port)
	if err != nil {
		return err
	}
	defer data.Close()
	// 125: the server has the connection already.
	if _, err := t.ask("RETR", "RETR "+s.Path, only(150), only(125)); err != nil {
		return err
	}
	file, err := s.read(t, data)
	if err != nil {
		return err
	}
	t.step = "RETR"
	if _, err := t.want(StatusRange{200, 299}); err != nil {
		return err
	}
	if want := compile(s.Expect); want != nil && !want.Match(file) {
		return fmt.Errorf("file %s does not match %q", excerpt(file), want)
	}
	return nil
}

// passive asks for a port for data: in the way that knows both families (RFC 2428), or in
// the old one.
func passive(t *talk) (uint16, error) {
	r, err := t.ask("EPSV", "EPSV", only(229), StatusRange{500, 599})
	if err == nil && r.code != 229 {
		r, err = t.ask("PASV", "PASV", only(227))
	}
	if err != nil {
		return 0, err
	}
	port, ok := dataPort(r.code, r.lines[len(r.lines)-1])
	if !ok {
		return 0, t.unwanted(fmt.Sprintf("%d %s", r.code, r.lines[len(r.lines)-1]), "a port")
	}
	return port, nil
}

// dataPort returns the port in an answer: "Entering Extended Passive Mode (|||6446|)" with
// the code 229, and "(192,0,2,1,25,46)", with or without parentheses, with 227.
func dataPort(code int, text string) (port uint16, ok bool) {
	if code == 229 {
		parts := strings.Split(text, "|")
		if len(parts) != 5 {
			return 0, false
		}
		n, err := strconv.ParseUint(parts[3], 10, 16)
		return uint16(n), err == nil && n > 0
	}
	parts := strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if len(parts) < 6 {
		return 0, false
	}
	high, errHigh := strconv.ParseUint(parts[len(parts)-2], 10, 8)
	low, errLow := strconv.ParseUint(parts[len(parts)-1], 10, 8)
	port = uint16(high<<8 | low)
	return port, errors.Join(errHigh, errLow) == nil && port > 0
}

// also connects to another port of the server. What comes over that connection counts for
// the bound of the attempt.
func (t *talk) also(port uint16) (*Conn, error) {
	d := *t.dialer
	d.remote, d.to = netip.AddrPortFrom(d.remote.Addr(), port), sockname{}
	conn, err := d.Dial(t.ctx)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	conn.left = t.conn.left
	return conn, nil
}

// read reads the file to its end.
func (s *FTP) read(t *talk, data *Conn) ([]byte, error) {
	var from net.Conn = data
	if t.wire != net.Conn(t.conn) {
		secure, err := t.dialer.Secure(data)
		if err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		from = secure
	}
	file, err := io.ReadAll(from)
	if err != nil {
		return nil, data.Failed("data", err)
	}
	_ = from.Close() // everything was read
	return file, nil
}
