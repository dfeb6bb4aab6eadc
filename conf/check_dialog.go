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
}

// dialogKeys makes the two kinds of a protocol: without and with implicit TLS.
func dialogKeys[S probe.Settings](name string, visit func(t *table, s *S, inherited S, implicit bool)) []checkKind {
	both := make([]checkKind, 2)
	for i, kind := range []string{name, name + "s"} {
		both[i] = keysOf(kind, func(t *table, s *S, inherited S) { visit(t, s, inherited, i == 1) })
	}
	return both
}
