package conf

import "holdfast/checker/probe"

func visitLDAP(t *table, s *probe.LDAP, inherited probe.LDAP) {
	visitSearch(t, s, inherited)
	s.TLS = visitOptionalTLS(t, "starttls", s.TLS, inherited.TLS)
	s.Upgrade = s.TLS != nil
}

func visitLDAPS(t *table, s *probe.LDAP, inherited probe.LDAP) {
	visitSearch(t, s, inherited)
	s.TLS = visitTLS(t, s.TLS, inherited.TLS)
}

// visitSearch walks over what both kinds of check have in common.
func visitSearch(t *table, s *probe.LDAP, inherited probe.LDAP) {
	visitLogin(t, &s.Login, inherited.Login)
	field(t, "base", &s.Base, text, inherited.Base)
	field(t, "scope", &s.Scope, searchScope, inherited.Scope)
	field(t, "filter", &s.Filter, text, inherited.Filter)
	field(t, "expect", &s.Expect, regularExpression, inherited.Expect)
}

// searchScope is how far an LDAP search goes.
var searchScope = choice(
	option[string]{"base", "base"},
	option[string]{"one", "one"},
	option[string]{"sub", "sub"},
	option[string]{"none", "none"},
)
