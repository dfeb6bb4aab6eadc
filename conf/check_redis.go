package conf

import "holdfast/checker/probe"

func visitRedis(t *table, s *probe.Redis, inherited probe.Redis) {
	visitLogin(t, &s.Login, inherited.Login)
	field(t, "role", &s.Role, redisRole, inherited.Role)
	s.TLS = visitOptionalTLS(t, "use_tls", s.TLS, inherited.TLS)
}

// redisRole is the role that a Redis server must have.
var redisRole = choice(
	option[string]{"any", "any"},
	option[string]{"master", "master"},
	option[string]{"replica", "replica"},
)
