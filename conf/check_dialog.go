package conf

import "holdfast/checker/probe"

// visitDialog walks over the keys that kinds of check share which talk in lines. A
// kind with implicit TLS has no key starttls.
func visitDialog(t *table, s *probe.Dialog, inherited probe.Dialog, implicit bool) {
	s.Implicit = implicit
	if !implicit {
		field(t, "starttls", &s.StartTLS, boolean, inherited.StartTLS)
	}
	s.TLS = visitTLS(t, s.TLS, inherited.TLS)
	if t.reading() && !implicit && !s.StartTLS && t.ok("starttls") {
		t.forbid("without starttls = true", "tls")
	}
	visitLogin(t, &s.Login, inherited.Login)
	if t.reading() && !implicit && !s.StartTLS && s.Login.Password != "" && t.has("password_file") {
		t.warnf("password_file", "the check sends this password without TLS: set starttls = true, or use a type that is over TLS")
	}
}

// A dialogVisit walks over the keys of a kind of check that talks in lines.
type dialogVisit[S probe.Settings] = func(t *table, s *S, inherited S, implicit bool)

// inClear makes a kind whose connection begins without TLS.
func inClear[S probe.Settings](visit dialogVisit[S]) func(*table, *S, S) {
	return func(t *table, s *S, inherited S) { visit(t, s, inherited, false) }
}

// overTLS makes a kind with implicit TLS.
func overTLS[S probe.Settings](visit dialogVisit[S]) func(*table, *S, S) {
	return func(t *table, s *S, inherited S) { visit(t, s, inherited, true) }
}
