// Package ldap is the client of the checks of type ldap and ldaps.
package ldap

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"holdfast/checker/probe"
)

// maxMessage bounds one message of a server. Decoded, a message of many small parts
// takes a hundred times as much memory.
const maxMessage = 256 << 10

func init() { ber.MaxPacketLengthBytes = maxMessage }

// New returns the Prober for settings of type probe.LDAP.
func New(settings probe.Settings, to probe.Target) probe.Prober {
	s := settings.(probe.LDAP)
	p := &prober{Dialer: probe.NewDialer(to, s.TLS, ""), settings: s}
	if s.Expect != "" {
		p.expect = regexp.MustCompile(s.Expect)
	}
	if s.Scope != "none" {
		p.search = request(&s)
	}
	return p
}

// request returns the search of a check. One entry is enough unless a certain one is
// expected.
func request(s *probe.LDAP) *ldap.SearchRequest {
	scope := map[string]int{
		"base": ldap.ScopeBaseObject,
		"one":  ldap.ScopeSingleLevel,
		"sub":  ldap.ScopeWholeSubtree,
	}[s.Scope]
	limit, attributes := 1, []string{noAttributes}
	if s.Expect != "" {
		limit, attributes = 0, nil
	}
	return ldap.NewSearchRequest(s.Base, scope, ldap.NeverDerefAliases, limit, 0, false, s.Filter, attributes, nil)
}

// noAttributes asks for entries without their attributes (RFC 4511 §4.5.1.8).
const noAttributes = "1.1"

type prober struct {
	*probe.Dialer
	settings probe.LDAP
	search   *ldap.SearchRequest // nil: none
	expect   *regexp.Regexp      // nil: any entry
}

// Probe implements probe.Prober.
func (p *prober) Probe(ctx context.Context) error {
	raw, err := p.Dial(ctx)
	if err != nil {
		return err
	}
	defer raw.Close()
	conn, err := p.open(raw)
	if err != nil {
		return err
	}
	defer conn.Unbind() //nolint:errcheck // the server has answered; what it makes of the farewell does not matter
	if err := p.bind(conn); err != nil {
		return failed(raw, "login", err)
	}
	return p.find(raw, conn)
}

// open returns a session over TLS if that is asked for. raw must be closed after it.
func (p *prober) open(raw *probe.Conn) (*ldap.Conn, error) {
	if p.settings.Upgrade {
		conn := ldap.NewConn(raw, false)
		conn.Start()
		if err := conn.StartTLS(p.TLS().Config()); err != nil {
			conn.Close()
			return nil, failed(raw, "STARTTLS", err)
		}
		return conn, nil
	}
	stream, err := p.Secure(raw)
	if err != nil {
		return nil, err
	}
	conn := ldap.NewConn(stream, p.settings.TLS != nil)
	conn.Start()
	return conn, nil
}

func (p *prober) bind(conn *ldap.Conn) error {
	if p.settings.User == "" {
		return conn.UnauthenticatedBind("")
	}
	return conn.Bind(p.settings.User, string(p.settings.Password))
}

// find makes the search. The server ends one with the result "size limit exceeded" if
// there are more entries than the one that was asked for.
func (p *prober) find(raw *probe.Conn, conn *ldap.Conn) error {
	if p.search == nil {
		return nil
	}
	result, err := conn.Search(p.search)
	if err != nil && !(ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) && result != nil && len(result.Entries) > 0) {
		return failed(raw, "search", err)
	}
	switch {
	case len(result.Entries) == 0:
		return fmt.Errorf("search: no entry at %q matches %s", p.settings.Base, p.settings.Filter)
	case p.expect != nil && !p.expected(result.Entries):
		return fmt.Errorf("search: no DN and no attribute of %d entries matches %q", len(result.Entries), p.expect)
	}
	return nil
}

// expected reports whether the DN or a line "attribute: value" of one of the entries
// matches.
func (p *prober) expected(entries []*ldap.Entry) bool {
	for _, e := range entries {
		if p.expect.MatchString(e.DN) {
			return true
		}
		for _, a := range e.Attributes {
			for _, v := range a.Values {
				if p.expect.MatchString(a.Name + ": " + v) {
					return true
				}
			}
		}
	}
	return false
}

// How the library says that it does not understand what came: in answer to a request, and
// to one that comes after the library has hung up. It exports no errors for them.
const (
	unread = "unable to read LDAP response packet"
	hungUp = "ldap: connection closed"
)

// failed returns the reason of a step that failed: the server's own words, otherwise
// what happened to the connection.
func failed(raw *probe.Conn, step string, err error) error {
	answer, ok := errors.AsType[*ldap.Error](err)
	if !ok || answer.ResultCode >= ldap.ErrorNetwork {
		if ok {
			err = answer.Err
		}
		if text := err.Error(); strings.Contains(text, unread) || text == hungUp {
			return raw.Misread(step, "an LDAP server", err)
		}
		return raw.Failed(step, errors.New(plain(err)))
	}
	words := strings.ToLower(ldap.LDAPResultCodeMap[answer.ResultCode])
	if words == "" {
		words = fmt.Sprintf("result code %d", answer.ResultCode)
	}
	if answer.Err != nil && answer.Err.Error() != "" {
		words += ": " + answer.Err.Error()
	}
	return fmt.Errorf("%s: %s", step, words)
}

// plain returns the text of an error of the library without what the library puts
// around it.
func plain(err error) string {
	text := strings.TrimPrefix(err.Error(), "ldap: ")
	if inner, ok := strings.CutPrefix(text, "TLS handshake failed ("); ok {
		text = strings.TrimSuffix(inner, ")")
	}
	return text
}
