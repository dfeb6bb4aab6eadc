package servers_test

import "testing"

// dovecotConfig is a server of mail for one user, ann, whose password is right.
const dovecotConfig = `
listen = ADDRESS
protocols = imap pop3
log_path = /dev/stderr
base_dir = /run/dovecot
ssl = yes
ssl_cert = </etc/ssl/server.pem
ssl_key = </etc/ssl/server.key
disable_plaintext_auth = yes
login_trusted_networks =
auth_failure_delay = 0
auth_mechanisms = plain login
mail_location = maildir:/var/mail/%u
first_valid_uid = 1
passdb {
  driver = passwd-file
  args = /etc/dovecot/users
}
userdb {
  driver = static
  args = uid=mail gid=mail home=/tmp
}
# A wrong password must not delay the logins that follow it.
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  unix_listener smtp-auth {
    mode = 0666
  }
}
`

// installDovecot writes its configuration, and what its package does when it is
// installed.
func (m *machine) installDovecot() (tls string) {
	m.users("dovecot", "dovenull", "postfix", "postdrop")
	m.file("/etc/dovecot/dovecot.conf", dovecotConfig, 0o644)
	m.file("/etc/dovecot/users", "ann:{PLAIN}right\n", 0o644)
	return m.certify()
}

func TestDovecot(t *testing.T) {
	m := newMachine(t)
	tls := m.installDovecot()
	m.start("dovecot", "-F")
	m.listens(143, 110, 993, 995)
	right, wrong := "user = \"ann\"\n"+m.password("right"), "user = \"ann\"\n"+m.password("wrong")
	const pop, imaps, pops = "port = 110\n", "port = 993\n", "port = 995\n"
	m.besideLdirectord(
		old{name: "imaps", port: 993, lines: "service=imaps\nlogin=\"ann\"\npasswd=\"right\"\n", meant: "any certificate"},
		old{name: "pops", port: 995, lines: "service=pops\nlogin=\"ann\"\npasswd=\"right\"\n", meant: "any certificate"},
		old{name: "pop without a user", port: 110, lines: "service=pop\n", well: true},
		old{name: "imap without a user", port: 143, lines: "service=imap\n", well: true},
		old{name: "imap where nobody is", port: 144, lines: "service=imap\n", well: true, meant: "a connection"},
	)
	m.prove(143,
		check{name: "imap", keys: "type = \"imap\"\n"},
		check{name: "imap, STARTTLS", keys: "type = \"imap\"\nstarttls = true\n" + tls + right},
		check{name: "imap, a mailbox", keys: "type = \"imap\"\nstarttls = true\nmailbox = \"INBOX\"\n" + tls + right},
		check{name: "imap, a mailbox that is not there", keys: "type = \"imap\"\nstarttls = true\nmailbox = \"Säcke\"\n" + tls + right,
			reason: "EXAMINE: \"NO ...want OK"},
		check{name: "imap, wrong password", keys: "type = \"imap\"\nstarttls = true\n" + tls + wrong,
			reason: "LOGIN: \"NO [AUTHENTICATIONFAILED] Authentication failed.\", want OK"},
		check{name: "imap, login without TLS", keys: "type = \"imap\"\n" + right,
			reason: "CAPABILITY: the server allows no LOGIN here"},
		check{name: "imaps", keys: "type = \"imaps\"\nmailbox = \"INBOX\"\n" + imaps + tls + right},
		check{name: "imaps, unknown CA", keys: "type = \"imaps\"\ntls = { server_name = \"server.example\" }\n" + imaps,
			reason: "TLS: certificate signed by unknown authority"},
		check{name: "pop", keys: "type = \"pop\"\n" + pop},
		check{name: "pop, STARTTLS", keys: "type = \"pop\"\nstarttls = true\n" + pop + tls + right},
		check{name: "pop, wrong password", keys: "type = \"pop\"\nstarttls = true\n" + pop + tls + wrong,
			reason: "PASS: \"-ERR [AUTH] Authentication failed.\", want \"+OK\""},
		check{name: "pops", keys: "type = \"pops\"\n" + pops + tls + right},
		check{name: "imap where pop is", keys: "type = \"imap\"\n" + pop, reason: "greeting: \"+OK Dovecot (Debian) ready.\", want \"* OK\""},
	)
}
