package servers_test

import "testing"

// Postfix takes mail on port 25, and on the ports for submission from users that
// Dovecot knows.
const (
	postfixMain = `
compatibility_level = 3.6
maillog_file = /dev/stdout
myhostname = server.example
mydestination = server.example
inet_interfaces = ADDRESS
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps = static:all
smtpd_tls_cert_file = /etc/ssl/server.pem
smtpd_tls_key_file = /etc/ssl/server.key
smtpd_tls_security_level = may
smtpd_sasl_type = dovecot
smtpd_sasl_path = /run/dovecot/smtp-auth
smtpd_client_connection_count_limit = 0
smtpd_peername_lookup = no
`
	postfixMaster = `
smtp       inet n - n - - smtpd
submission inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_auth_only=yes
  -o smtpd_sasl_auth_enable=yes
smtps      inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
postlog    unix-dgram n - n - 1 postlogd
pickup     unix n - n 60 1 pickup
cleanup    unix n - n - 0 cleanup
qmgr       unix n - n 300 1 qmgr
rewrite    unix - - n - - trivial-rewrite
bounce     unix - - n - 0 bounce
defer      unix - - n - 0 bounce
trace      unix - - n - 0 bounce
proxymap   unix - - n - - proxymap
tlsmgr     unix - - n 1000? 1 tlsmgr
anvil      unix - - n - 1 anvil
error      unix - - n - - error
retry      unix - - n - - error
local      unix - n n - - local
`
)

// startPostfix makes the folders that Postfix's own script would take seconds to check.
const startPostfix = `set -e
cd /var/spool/postfix
mkdir -p active bounce corrupt defer deferred flush hold incoming private maildrop pid public saved trace
chown postfix active bounce corrupt defer deferred flush hold incoming private saved trace /var/lib/postfix
chown postfix:postdrop maildrop public
exec /usr/lib/postfix/sbin/master -i
`

func TestPostfix(t *testing.T) {
	m := newMachine(t)
	tls := m.installDovecot()
	m.file("/etc/postfix/main.cf", postfixMain, 0o644)
	m.file("/etc/postfix/master.cf", postfixMaster, 0o644)
	m.script("dovecot", startPostfix)
	m.listens(25, 587, 465)
	right, wrong := "user = \"ann\"\n"+m.password("right"), "user = \"ann\"\n"+m.password("wrong")
	const submission, smtps, starttls = "port = 587\n", "port = 465\n", "starttls = true\n"
	m.besideLdirectord(
		old{name: "smtp", port: 25, lines: "service=smtp\n", well: true},
		old{name: "smtp where TLS is", port: 465, lines: "service=smtp\n"},
		old{name: "submission without a user", port: 587, lines: "service=submission\n", well: true},
	)
	m.prove(25,
		check{name: "smtp", keys: "type = \"smtp\"\n"},
		check{name: "STARTTLS", keys: "type = \"smtp\"\n" + starttls + tls},
		check{name: "recipient", keys: "type = \"smtp\"\nto = \"ann@server.example\"\n"},
		check{name: "relay", keys: "type = \"smtp\"\nto = \"ann@elsewhere.example\"\n",
			reason: "RCPT TO: \"454 4.7.1 <ann@elsewhere.example>: Relay access denied\", want 200-299"},
		check{name: "relay that must be refused", keys: "type = \"smtp\"\nto = \"ann@elsewhere.example\"\ncode = [454, 554]\n"},
		check{name: "submission", keys: "type = \"smtp\"\n" + submission + starttls + tls + right},
		check{name: "submission, AUTH LOGIN", keys: "type = \"smtp\"\nauth = \"login\"\n" + submission + starttls + tls + right},
		check{name: "submission, wrong password", keys: "type = \"smtp\"\n" + submission + starttls + tls + wrong,
			reason: "AUTH PLAIN: \"535 5.7.8 Error: authentication failed:...want 200-299"},
		check{name: "submission, AUTH LOGIN, wrong password", keys: "type = \"smtp\"\nauth = \"login\"\n" + submission + starttls + tls + wrong,
			reason: "AUTH LOGIN: \"535 5.7.8 Error: authentication failed:...want 200-299"},
		check{name: "submission without TLS", keys: "type = \"smtp\"\n" + submission + right,
			reason: "EHLO: the server offers neither AUTH PLAIN nor AUTH LOGIN"},
		check{name: "submission of another name", keys: "type = \"smtp\"\ntls = { verify = true }\n" + submission + starttls,
			reason: "TLS: ..."},
		check{name: "smtps", keys: "type = \"smtps\"\n" + smtps + tls + right},
		check{name: "smtps on a port without TLS", keys: "type = \"smtps\"\n" + tls,
			reason: "TLS: first record does not look like a TLS handshake"},
	)
}
