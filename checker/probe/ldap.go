package probe

import (
	"errors"
	"strings"
)

// LDAP binds to an LDAP server and searches. Its client is package
// checker/probe/ldap.
type LDAP struct {
	Login          // User is a DN; without it the check binds anonymously
	Base    string // the DN at which the search begins; "": the root DSE
	Scope   string // "base", "one", "sub", or "none" for no search
	Filter  string // RFC 4515
	Expect  string // regular expression for the DN or a line "attribute: value" of an entry; "": any entry
	TLS     *TLS   // nil: without TLS
	Upgrade bool   // TLS begins with STARTTLS
}

var (
	defaultLDAP  = LDAP{Scope: "base", Filter: "(objectClass=*)"}
	defaultLDAPS = LDAP{Scope: "base", Filter: "(objectClass=*)", TLS: DefaultTLS()}
)

// Kind returns "ldaps" if TLS begins with the connection, otherwise "ldap".
func (s LDAP) Kind() string {
	if s.TLS != nil && !s.Upgrade {
		return "ldaps"
	}
	return "ldap"
}

// Needs returns NeedsPort.
func (LDAP) Needs() Needs { return NeedsPort }

// Validate implements Settings. Which filters are valid, the client knows.
func (s LDAP) Validate() FieldErrors {
	var errs FieldErrors
	s.Login.validate(&errs)
	if s.User != "" && s.Password == "" { // RFC 4513 §5.1.2: such a bind is anonymous
		errs.Addf("user", "needs a password_file: without a password the server takes the check for nobody")
	}
	switch s.Scope {
	case "base", "one", "sub":
	case "none":
		if s.Expect != "" {
			errs.Addf("expect", `has no effect with scope = "none"`)
		}
	default:
		errs.Addf("scope", `must be "base", "one", "sub" or "none", not %q`, s.Scope)
	}
	if err := balanced(s.Filter); err != nil {
		errs.Addf("filter", "%v", err)
	}
	errs.pattern("expect", s.Expect)
	s.TLS.validate(&errs)
	return errs
}

// balanced returns an error unless a filter is one pair of parentheses. It finds the
// mistakes that people make.
func balanced(filter string) error {
	wrong := errors.New(`must be a filter in parentheses, like "(uid=monitor)"`)
	if !strings.HasPrefix(filter, "(") || !strings.HasSuffix(filter, ")") {
		return wrong
	}
	depth := 0
	for i, r := range filter { // parentheses in values are escaped as \28 and \29
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth < 1 && i < len(filter)-1 {
			return wrong
		}
	}
	if depth != 0 {
		return wrong
	}
	return nil
}

func (s LDAP) prober(*Tools, Target) Prober { return noClient(s.Kind()) }
