package conf

import "holdfast/checker/probe"

func visitSIP(t *table, s *probe.SIP, inherited probe.SIP) {
	field(t, "transport", &s.Transport, sipTransport, inherited.Transport)
	field(t, "uri", &s.URI, text, inherited.URI)
	field(t, "from", &s.From, text, inherited.From)
	field(t, "code", &s.Code, listOf(statusRange), inherited.Code)
}

// sipTransport is the protocol below SIP.
var sipTransport = wordOf(probe.SIPTransports())
