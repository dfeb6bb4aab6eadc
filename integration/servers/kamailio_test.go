package servers_test

import "testing"

// kamailioConfig answers OPTIONS about one user.
const kamailioConfig = `
children=2
log_stderror=yes
fork=yes
listen=udp:ADDRESS:5060
listen=tcp:ADDRESS:5060
listen=udp:[ADDRESS6]:5060
listen=tcp:[ADDRESS6]:5060
loadmodule "sl.so"
loadmodule "pv.so"
request_route {
	if (method == "OPTIONS" && $rU == "ping") {
		sl_send_reply("200", "Keepalive");
	} else {
		sl_send_reply("404", "Not here");
	}
}
`

func TestKamailio(t *testing.T) {
	m := newMachine(t)
	m.file("/etc/kamailio/kamailio.cfg", kamailioConfig, 0o644)
	m.start("kamailio", "-DD", "-E", "-f", "/etc/kamailio/kamailio.cfg", "-m", "16", "-M", "4")
	m.listens(5060)
	const ping = "type = \"sip\"\nuri = \"sip:ping@ADDRESS\"\n"
	m.besideLdirectord(
		old{name: "udp", port: 5060, lines: "service=sip\nprotocol=udp\nlogin=\"ping@ADDRESS\"\n", meant: "any 200, not 200 OK alone"},
		old{name: "tcp", port: 5060, lines: "service=sip\nprotocol=tcp\nlogin=\"ping@ADDRESS\"\n", meant: "any 200, not 200 OK alone"},
		old{name: "another user", port: 5060, lines: "service=sip\nprotocol=udp\nlogin=\"ann@ADDRESS\"\n"},
	)
	m.prove(5060,
		check{name: "udp", keys: ping},
		check{name: "tcp", keys: ping + "transport = \"tcp\"\n"},
		check{name: "udp over IPv6", keys: "type = \"sip\"\nuri = \"sip:ping@[ADDRESS6]\"\n", v6: true},
		check{name: "tcp over IPv6", keys: "type = \"sip\"\nuri = \"sip:ping@[ADDRESS6]\"\ntransport = \"tcp\"\n", v6: true},
		check{name: "who asks", keys: ping + "from = \"sip:ann@example.com\"\n"},
		check{name: "another user over udp", keys: "type = \"sip\"\n", reason: "SIP \"404 Not here\", want 200-299"},
		check{name: "another user over tcp", keys: "type = \"sip\"\ntransport = \"tcp\"\n", reason: "SIP \"404 Not here\", want 200-299"},
		check{name: "a good 404", keys: "type = \"sip\"\ncode = [404]\n"},
	)
}
