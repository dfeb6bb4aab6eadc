package conf

import "holdfast/checker/probe"

func visitRADIUS(t *table, s *probe.RADIUS, inherited probe.RADIUS) {
	visitSecret(t, "secret_file", &s.SecretFile, &s.Secret, inherited.SecretFile, inherited.Secret)
	visitLogin(t, &s.Login, inherited.Login)
	field(t, "answer", &s.Answer, radiusAnswer, inherited.Answer)
	field(t, "nas_identifier", &s.NASIdentifier, text, inherited.NASIdentifier)
	field(t, "require_message_authenticator", &s.Authenticated, boolean, inherited.Authenticated)
	if t.reading() && s.SecretFile == "" && t.ok("secret_file") {
		t.warnf("secret_file", "no RADIUS server answers a check without a shared secret")
	}
}

// radiusAnswer is what a RADIUS server must say of a user.
var radiusAnswer = choice(
	option[string]{"accept", "accept"},
	option[string]{"reject", "reject"},
	option[string]{"any", "any"},
)
