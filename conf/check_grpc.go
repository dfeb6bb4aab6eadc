package conf

import "holdfast/checker/probe"

func visitGRPC(t *table, s *probe.GRPC, inherited probe.GRPC) {
	field(t, "service", &s.Service, text, inherited.Service)
	field(t, "host", &s.Host, text, inherited.Host)
	s.TLS = visitOptionalTLS(t, "use_tls", s.TLS, inherited.TLS)
}
