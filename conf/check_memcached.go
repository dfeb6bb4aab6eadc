package conf

import "holdfast/checker/probe"

func visitMemcached(t *table, s *probe.Memcached, inherited probe.Memcached) {
	visitLogin(t, &s.Login, inherited.Login)
	field(t, "command", &s.Command, choice(option[string]{"version", "version"}, option[string]{"stats", "stats"}), inherited.Command)
	field(t, "expect", &s.Expect, regularExpression, inherited.Expect)
	s.TLS = visitOptionalTLS(t, "use_tls", s.TLS, inherited.TLS)
}
