package probe

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// SIP asks a server or proxy what it is able to do (OPTIONS, RFC 3261 §11).
type SIP struct {
	Transport string        // "udp" or "tcp"
	URI       string        // whom the request asks; "": the server's address
	From      string        // URI of who asks; "": sip:holdfast@ our address
	Code      []StatusRange // good codes of the final answer
}

var defaultSIP = SIP{Transport: "udp", Code: []StatusRange{{200, 299}}}

// SIPTransports are the values of SIP.Transport.
func SIPTransports() []string { return []string{"udp", "tcp"} }

// Kind returns "sip".
func (SIP) Kind() string { return "sip" }

// Needs returns NeedsPort.
func (SIP) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s SIP) Validate() FieldErrors {
	var errs FieldErrors
	if !slices.Contains(SIPTransports(), s.Transport) {
		errs.Addf("transport", "must be udp or tcp, not %q", s.Transport)
	}
	errs.sipURI("uri", s.URI)
	errs.sipURI("from", s.From)
	for _, r := range s.Code {
		if r.High > 699 || r.Low < 200 || r.Low > r.High {
			errs.Addf("code", "%v is not a range of final status codes (200 to 699)", r)
		}
	}
	if len(s.Code) == 0 {
		errs.Addf("code", "at least one code is needed")
	}
	return errs
}

// sipURI notes a fault of a key if s is neither "" nor a URI.
func (e *FieldErrors) sipURI(key, s string) {
	scheme, rest, _ := strings.Cut(s, ":")
	if s != "" && (scheme != "sip" && scheme != "sips" || rest == "" || !isVisible(s) || strings.ContainsAny(s, "<>\"")) {
		e.Addf(key, "%q is not a SIP URI, like \"sip:ping@example.com\"", s)
	}
}

func (s SIP) prober(_ *Tools, to Target) Prober {
	if s.URI == "" {
		s.URI = "sip:" + netip.AddrPortFrom(to.Address.Addr().Unmap().WithZone(""), to.Address.Port()).String()
	}
	if s.Transport == "tcp" {
		return &sipProber{want: s, stream: NewDialer(to, nil, "")}
	}
	return &sipProber{want: s, datagram: newDialer(to, unix.SOCK_DGRAM)}
}

type sipProber struct {
	want     SIP
	stream   *Dialer // nil: UDP
	datagram dialer
}

// Probe implements Prober.
func (p *sipProber) Probe(ctx context.Context) error {
	if p.stream != nil {
		return p.overTCP(ctx)
	}
	return p.overUDP(ctx)
}

func (p *sipProber) overTCP(ctx context.Context) error {
	conn, err := p.stream.Dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	request, id := p.request(conn.socket)
	if _, err := conn.Write(request); err != nil {
		return conn.Failed("request", err)
	}
	in := bufio.NewReader(conn)
	for {
		answer, err := readSIP(in)
		if err != nil {
			return conn.Failed("answer", err)
		}
		if answer.isTo(id) {
			return p.want.judge(answer)
		}
		if _, err := io.CopyN(io.Discard, in, answer.length()); err != nil {
			return conn.Failed("answer", err)
		}
	}
}

func (p *sipProber) overUDP(ctx context.Context) error {
	conn, err := p.datagram.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	request, id := p.request(conn)
	if _, err := conn.Write(request); err != nil {
		return p.datagram.failed("request", err)
	}
	buf := datagrams.Get().(*[1 << 16]byte)
	defer datagrams.Put(buf)
	for stray := false; ; stray = true {
		n, err := receive(conn, buf[:])
		if err != nil {
			return p.datagram.unanswered(err, stray)
		}
		answer, err := readSIP(bufio.NewReader(bytes.NewReader(buf[:n])))
		if err == nil && answer.isTo(id) {
			return p.want.judge(answer)
		}
	}
}

// request returns the bytes of a request and its Call-ID.
func (p *sipProber) request(conn *socket) (request []byte, id string) {
	local := conn.local()
	id = fmt.Sprintf("%016x", rand.Uint64())
	from := cmp.Or(p.want.From, "sip:holdfast@"+local)
	return fmt.Appendf(nil, "OPTIONS %s SIP/2.0\r\n"+
		"Via: SIP/2.0/%s %s;branch=z9hG4bK%s;rport\r\n"+
		"Max-Forwards: 70\r\nFrom: <%s>;tag=%s\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\n"+
		"Contact: <sip:holdfast@%s>\r\nAccept: application/sdp\r\nUser-Agent: holdfast\r\nContent-Length: 0\r\n\r\n",
		p.want.URI, strings.ToUpper(p.want.Transport), local, id, from, id, p.want.URI, id, local), id
}

// A sipMessage is an answer, or a request of the server, whose code is 0.
type sipMessage struct {
	code   int
	reason string
	header textproto.MIMEHeader
}

// readSIP reads a message up to its body. Empty lines may come before it (RFC 3261
// §7.5).
func readSIP(in *bufio.Reader) (sipMessage, error) {
	r := textproto.NewReader(in)
	var line string
	for line == "" {
		var err error
		if line, err = r.ReadLine(); err != nil {
			return sipMessage{}, err
		}
	}
	var m sipMessage
	if status, ok := strings.CutPrefix(line, "SIP/2.0 "); ok {
		code, reason, _ := strings.Cut(status, " ")
		n, err := strconv.Atoi(code)
		if err != nil || n < 100 || n > 699 {
			return m, fmt.Errorf("%s is not an answer of SIP", excerpt([]byte(line)))
		}
		m.code, m.reason = n, reason
	} else if !strings.HasSuffix(line, " SIP/2.0") {
		return m, fmt.Errorf("%s is not an answer of SIP", excerpt([]byte(line)))
	}
	var err error
	m.header, err = r.ReadMIMEHeader()
	if len(m.header) > 0 && errors.Is(err, io.EOF) { // a datagram without the empty line
		err = nil
	}
	return m, err
}

// isTo reports whether m is the final answer to the request with a Call-ID.
func (m *sipMessage) isTo(id string) bool { return m.code >= 200 && m.value("Call-Id", "I") == id }

// value returns a header field by its name or its short name.
func (m *sipMessage) value(name, short string) string {
	return cmp.Or(m.header.Get(name), m.header.Get(short))
}

// length returns the length of the body; 0 if the message does not say it.
func (m *sipMessage) length() int64 {
	n, err := strconv.ParseUint(m.value("Content-Length", "L"), 10, 32)
	if err != nil {
		return 0
	}
	return int64(n)
}

// judge returns what is wrong with the final answer.
func (s *SIP) judge(m sipMessage) error {
	wanted := make([]string, len(s.Code))
	for i, r := range s.Code {
		if r.Low <= m.code && m.code <= r.High {
			return nil
		}
		wanted[i] = r.String()
	}
	return fmt.Errorf("SIP %s, want %s", excerpt(fmt.Appendf(nil, "%d %s", m.code, m.reason)), strings.Join(wanted, ", "))
}
