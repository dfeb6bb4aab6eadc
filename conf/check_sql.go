package conf

import "holdfast/checker/probe"

func visitMySQL(t *table, s *probe.MySQL, inherited probe.MySQL) { visitSQL(t, &s.SQL, inherited.SQL) }

func visitPostgreSQL(t *table, s *probe.PostgreSQL, inherited probe.PostgreSQL) {
	visitSQL(t, &s.SQL, inherited.SQL)
}

// visitSQL walks over the keys of checks of database servers.
func visitSQL(t *table, s *probe.SQL, inherited probe.SQL) {
	visitLogin(t, &s.Login, inherited.Login)
	field(t, "database", &s.Database, text, inherited.Database)
	field(t, "query", &s.Query, text, inherited.Query)
	field(t, "expect", &s.Expect, regularExpression, inherited.Expect)
	s.TLS = visitOptionalTLS(t, "use_tls", s.TLS, inherited.TLS)
}
