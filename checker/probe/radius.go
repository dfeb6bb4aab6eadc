package probe

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5" // RADIUS knows nothing else
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// RADIUS asks a RADIUS server whether it runs (Status-Server, RFC 5997), or with a
// user whether that user may log in (Access-Request, RFC 2865).
type RADIUS struct {
	Login
	Secret     Secret // shared with the server
	SecretFile string // the path of the file that held Secret
	// Answer is what the server must say of the user: "accept", "reject" or "any".
	Answer string
	// NASIdentifier is how the check names itself.
	NASIdentifier string
	// Authenticated refuses an answer without Message-Authenticator. One that is
	// there must be right in any case.
	Authenticated bool
}

var defaultRADIUS = RADIUS{Answer: "accept", NASIdentifier: "holdfast"}

// Kind returns "radius".
func (RADIUS) Kind() string { return "radius" }

// Needs returns NeedsPort.
func (RADIUS) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s RADIUS) Validate() FieldErrors {
	var errs FieldErrors
	s.Login.validate(&errs)
	switch s.Answer {
	case "accept":
	case "reject", "any":
		if s.User == "" {
			errs.Addf("answer", "has no effect without user")
		}
	default:
		errs.Addf("answer", `must be "accept", "reject" or "any", not %q`, s.Answer)
	}
	// The length of an attribute, with two bytes before it, is a byte.
	const longest = 253
	if len(s.User) > longest {
		errs.Addf("user", "must be at most %d bytes", longest)
	}
	if len(s.Password) > 128 { // RFC 2865 §5.2
		errs.Addf("password_file", "a password must be at most 128 bytes")
	}
	if s.NASIdentifier == "" || len(s.NASIdentifier) > longest {
		errs.Addf("nas_identifier", "must be 1 to %d bytes", longest)
	}
	return errs
}

func (s RADIUS) prober(_ *Tools, to Target) Prober {
	return &radiusProber{dialer: newDialer(to, unix.SOCK_DGRAM), RADIUS: s}
}

type radiusProber struct {
	dialer
	RADIUS
}

// Codes of packets (RFC 2865 §3, RFC 2866 §3, RFC 5997 §4.2).
const (
	radiusAccessRequest      = 1
	radiusAccessAccept       = 2
	radiusAccessReject       = 3
	radiusAccountingResponse = 5
	radiusAccessChallenge    = 11
	radiusStatusServer       = 12
)

// Types of attribute (RFC 2865 §5, RFC 3579 §3.2).
const (
	radiusUserName             = 1
	radiusUserPassword         = 2
	radiusReplyMessage         = 18
	radiusNASIdentifier        = 32
	radiusMessageAuthenticator = 80
)

// radiusHead is the length of a packet without attributes. The second half of it is
// the authenticator.
const radiusHead = 20

// Probe implements Prober.
func (p *radiusProber) Probe(ctx context.Context) error {
	conn, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	request := p.request()
	if _, err := conn.Write(request); err != nil {
		return p.failed("request", err)
	}
	return p.await(conn, request)
}

// await reads until the answer to our request comes. Others can be late answers to
// an earlier attempt, or not from the server at all.
func (p *radiusProber) await(conn *socket, request []byte) error {
	buf := datagrams.Get().(*[1 << 16]byte)
	defer datagrams.Put(buf)
	var forged error
	for {
		n, err := receive(conn, buf[:])
		switch {
		case err != nil && forged != nil:
			return forged
		case errors.Is(err, os.ErrDeadlineExceeded):
			return p.failed("answer, which only a known client with the right secret gets", err)
		case err != nil:
			return p.failed("answer", err)
		}
		answer, err := p.verify(buf[:n], request)
		if answer != nil {
			return p.judge(answer)
		}
		forged = err
	}
}

// request returns a new packet. It begins with the Message-Authenticator, so that no
// part of the packet before it can be exchanged for another with the same MD5 sum.
func (p *radiusProber) request() []byte {
	b := make([]byte, radiusHead, 512)
	_, _ = rand.Read(b) // which never fails
	b[0] = radiusStatusServer
	if p.User != "" {
		b[0] = radiusAccessRequest
	}
	b = radiusAttribute(b, radiusMessageAuthenticator, make([]byte, md5.Size))
	if p.User != "" {
		b = radiusAttribute(b, radiusUserName, []byte(p.User))
		b = radiusAttribute(b, radiusUserPassword, p.hide(b[4:radiusHead]))
	}
	b = radiusAttribute(b, radiusNASIdentifier, []byte(p.NASIdentifier))
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	copy(b[radiusHead+2:], p.authenticator(b))
	return b
}

func radiusAttribute(b []byte, kind byte, value []byte) []byte {
	return append(append(b, kind, byte(2+len(value))), value...)
}

// authenticator returns the Message-Authenticator of a packet in which it is zero
// (RFC 3579 §3.2).
func (p *radiusProber) authenticator(packet []byte) []byte {
	h := hmac.New(md5.New, []byte(p.Secret))
	h.Write(packet)
	return h.Sum(nil)
}

// responseAuthenticator returns the authenticator of an answer that has the one of
// its request in its place (RFC 2865 §3).
func (p *radiusProber) responseAuthenticator(answer []byte) []byte {
	sum := md5.Sum(append(bytes.Clone(answer), p.Secret...))
	return sum[:]
}

// hide returns the password as an attribute holds it (RFC 2865 §5.2).
func (p *radiusProber) hide(authenticator []byte) []byte {
	const block = md5.Size
	hidden := make([]byte, max(block, (len(p.Password)+block-1)/block*block))
	copy(hidden, p.Password)
	last := authenticator
	for i := 0; i < len(hidden); i += block {
		mask := md5.Sum(append([]byte(p.Secret), last...))
		for j := range mask {
			hidden[i+j] ^= mask[j]
		}
		last = hidden[i : i+block]
	}
	return hidden
}

// verify returns the packet in a datagram if it is the server's answer to the
// request. Otherwise it returns nil, with an error if the packet should be the
// answer and is not made with our secret.
func (p *radiusProber) verify(datagram, request []byte) ([]byte, error) {
	if len(datagram) < radiusHead || datagram[1] != request[1] {
		return nil, nil
	}
	size := int(binary.BigEndian.Uint16(datagram[2:]))
	if size < radiusHead || size > len(datagram) {
		return nil, nil
	}
	answer := bytes.Clone(datagram[:size])
	copy(answer[4:radiusHead], request[4:radiusHead])
	if !hmac.Equal(p.responseAuthenticator(answer), datagram[4:radiusHead]) {
		return nil, errors.New("answer: its authenticator is wrong, as with another secret")
	}
	sent := radiusValue(answer, radiusMessageAuthenticator)
	if sent == nil && p.Authenticated {
		return nil, errors.New("answer: it has no Message-Authenticator")
	}
	if sent != nil {
		got := bytes.Clone(sent)
		clear(sent)
		if !hmac.Equal(got, p.authenticator(answer)) {
			return nil, errors.New("answer: its Message-Authenticator is wrong")
		}
	}
	return answer, nil
}

// radiusValue returns the value of the first attribute of a type; nil if there is
// none before the first malformed one.
func radiusValue(packet []byte, kind byte) []byte {
	for rest := packet[radiusHead:]; len(rest) >= 2; {
		size := int(rest[1])
		if size < 2 || size > len(rest) {
			return nil
		}
		if rest[0] == kind {
			return rest[2:size]
		}
		rest = rest[size:]
	}
	return nil
}

// judge returns what is wrong with an answer.
func (p *radiusProber) judge(answer []byte) error {
	code := answer[0]
	if p.User == "" {
		if code == radiusAccessAccept || code == radiusAccountingResponse {
			return nil
		}
		return fmt.Errorf("answer: code %d to Status-Server", code)
	}
	switch code {
	case radiusAccessAccept:
		if p.Answer != "reject" {
			return nil
		}
		return fmt.Errorf("login: user %q is accepted, want rejected", p.User)
	case radiusAccessReject, radiusAccessChallenge:
		if p.Answer != "accept" {
			return nil
		}
		return p.refused(answer)
	}
	return fmt.Errorf("answer: code %d to Access-Request", code)
}

// refused returns the reason of a login that the server did not accept.
func (p *radiusProber) refused(answer []byte) error {
	what := "rejected"
	if answer[0] == radiusAccessChallenge {
		what = "asked for more"
	}
	message := ""
	if text := radiusValue(answer, radiusReplyMessage); text != nil {
		message = ": " + excerpt(text)
	}
	return fmt.Errorf("login: user %q is %s%s", p.User, what, message)
}
