package conf

import "holdfast/checker/probe"

func visitMQTT(t *table, s *probe.MQTT, inherited probe.MQTT) {
	visitLogin(t, &s.Login, inherited.Login)
	field(t, "version", &s.Version, choice(option[string]{"3.1.1", "3.1.1"}, option[string]{"5", "5"}), inherited.Version)
	field(t, "client_id", &s.ClientID, text, inherited.ClientID)
	s.TLS = visitOptionalTLS(t, "use_tls", s.TLS, inherited.TLS)
}
