package servers_test

import (
	"fmt"
	"testing"
)

// A server with a user ann, whose password is right, that answers at once.
const radiusConfig = `
prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = /etc/radius
logdir = /tmp
run_dir = /run
security {
	status_server = yes
	reject_delay = 0
}
modules {
	pap {
	}
	files {
		filename = /etc/radius/users
	}
}
client all {
	ipaddr = 0.0.0.0/0
	secret = sesame
}
server default {
	listen {
		type = auth
		ipaddr = ADDRESS
		port = 1812
	}
	authorize {
		files
		pap
	}
	authenticate {
		Auth-Type PAP {
			pap
		}
	}
}
`

func TestFreeRADIUS(t *testing.T) {
	m := newMachine(t)
	m.file("/etc/radius/radiusd.conf", radiusConfig, 0o644)
	m.file("/etc/radius/dictionary", "", 0o644)
	m.file("/etc/radius/users", "ann Cleartext-Password := \"right\"\n\tMessage-Authenticator = 0x00\nDEFAULT Auth-Type := Reject\n\tReply-Message = \"go away\"\n", 0o644)
	m.start("freeradius", "-f", "-l", "stdout", "-d", "/etc/radius")
	secret := func(text string) string {
		return fmt.Sprintf("type = \"radius\"\nsecret_file = %q\n", m.keep("secret-"+text, text+"\n"))
	}
	radius, ann, strict := secret("sesame"), "user = \"ann\"\n", "require_message_authenticator = true\n"
	right, wrong := ann+m.password("right"), ann+m.password("wrong")
	m.besideLdirectord(
		old{name: "a user", port: 1812, lines: "service=radius\nprotocol=udp\nsecret=\"sesame\"\nlogin=\"ann\"\npasswd=\"right\"\n", well: true},
		old{name: "a wrong password", port: 1812, lines: "service=radius\nprotocol=udp\nsecret=\"sesame\"\nlogin=\"ann\"\npasswd=\"wrong\"\n"},
		old{name: "a wrong secret", port: 1812, lines: "service=radius\nprotocol=udp\nsecret=\"open\"\nlogin=\"ann\"\npasswd=\"right\"\n"},
	)
	m.prove(1812,
		check{name: "Status-Server", keys: radius},
		check{name: "a user", keys: radius + right},
		check{name: "an answer with Message-Authenticator", keys: radius + right + strict},
		check{name: "a wrong password", keys: radius + wrong, reason: `login: user "ann" is rejected...`},
		check{name: "no such user", keys: radius + "user = \"bob\"\n", reason: `login: user "bob" is rejected: "go away"`},
		check{name: "rejected as wanted", keys: radius + wrong + "answer = \"reject\"\n"},
		check{name: "accepted against the wish", keys: radius + right + "answer = \"reject\"\n",
			reason: `login: user "ann" is accepted, want rejected`},
		check{name: "any answer", keys: radius + wrong + "answer = \"any\"\n"},
		check{name: "a wrong secret", keys: secret("open") + right, reason: "answer, which only...: timeout after ..."},
	)
}
