package probe

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/icholy/digest"
)

// The values of HTTP.Auth.
const (
	AuthBasic  = "basic"  // RFC 7617: name and password go with each request
	AuthDigest = "digest" // RFC 7616: the server asks, and gets a proof of the password
)

// HTTPAuths returns the ways to log in that an HTTP check knows.
func HTTPAuths() []string { return []string{AuthBasic, AuthDigest} }

func (s *HTTP) validateAuth(errs *FieldErrors) {
	s.Login.validate(errs)
	if !slices.Contains(HTTPAuths(), s.Auth) {
		errs.Addf("auth", "must be one of %s, not %q", strings.Join(HTTPAuths(), " "), s.Auth)
	}
	if strings.Contains(s.User, ":") { // RFC 7617 §2; in RFC 7616 §3.4.2 it would not be told from the realm
		errs.Addf("user", "must not contain a colon, like %q", s.User)
	}
	if s.User == "" {
		return
	}
	for _, r := range append(slices.Clone(s.Requests), s.HTTPRequest) {
		if slices.ContainsFunc(r.Headers, isAuthorization) {
			errs.Addf("user", "is not possible beside a header Authorization")
			return
		}
	}
}

func isAuthorization(f Field) bool { return strings.EqualFold(f.Name, "Authorization") }

// basicAuth returns the header of RFC 7617.
func basicAuth(l *Login) Field {
	return Field{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(l.User+":"+string(l.Password)))}
}

// challenged reports whether an answer asks for the password, and the message has not
// answered that yet.
func (m *message) challenged(answer *http.Response, s *HTTP) bool {
	return answer.StatusCode == http.StatusUnauthorized && s.User != "" && s.Auth == AuthDigest && !m.proves
}

// proof returns the message with the answer to a challenge.
func (m *message) proof(answer *http.Response, s *HTTP) (*message, error) {
	challenge, err := digest.FindChallenge(answer.Header)
	if err != nil {
		return nil, fmt.Errorf("login: the server does not ask for a digest: %w", err)
	}
	uri := m.path
	if s.Proxy {
		uri = "http://" + m.host + m.path
	}
	credentials, err := digest.Digest(challenge, digest.Options{
		Method: m.method, URI: uri, Count: 1, Username: s.User, Password: string(s.Password),
	})
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	next := *m
	next.headers = append(m.anonymous(), Field{"Authorization", credentials.String()})
	next.proves = true
	next.write(s)
	return &next, nil
}

// anonymous returns the headers without who asks.
func (m *message) anonymous() []Field {
	return slices.DeleteFunc(slices.Clone(m.headers), isAuthorization)
}
