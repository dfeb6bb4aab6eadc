package servers_test

import (
	"strings"
	"testing"
)

// vsftpdConfig lets users of the machine in, with TLS or without.
const vsftpdConfig = `
listen=YES
listen_address=ADDRESS
background=NO
anonymous_enable=NO
local_enable=YES
pam_service_name=vsftpd
check_shell=NO
delay_failed_login=0
seccomp_sandbox=NO
vsftpd_log_file=/dev/stderr
secure_chroot_dir=/srv

ssl_enable=YES
force_local_logins_ssl=NO
force_local_data_ssl=NO
rsa_cert_file=/etc/ssl/server.pem
rsa_private_key_file=/etc/ssl/server.key
`

func TestVsftpd(t *testing.T) {
	m := newMachine(t)
	tls := m.certify()
	m.users("ftp", "ann")
	m.file("/etc/shadow", "ann:$6$holdfast$Sm4XD2h/KnQPgd1uufLUd20x..TMTgwpNfvR.2zncgy9VOELplQ4CUDIBz1jhrQywTVZmn1Zg6w2jimcfX7mp0:19000:0:99999:7:::\n", 0o600) // right
	m.file("/etc/pam.d/vsftpd", "auth required pam_unix.so nodelay\naccount required pam_permit.so\nsession required pam_permit.so\n", 0o644)
	m.file("/etc/vsftpd.conf", vsftpdConfig, 0o644)
	m.file("/etc/vsftpd-tls.conf", vsftpdConfig+"implicit_ssl=YES\nlisten_port=990\n", 0o644)
	m.file("/srv/empty", "", 0o644)
	m.file("/srv/pub/health file", "all is well\n", 0o644)
	m.start("sh", "-c", "vsftpd /etc/vsftpd.conf & vsftpd /etc/vsftpd-tls.conf & wait")
	m.listens(21, 990)
	right, wrong := "user = \"ann\"\n"+m.password("right"), "user = \"ann\"\n"+m.password("wrong")
	m.prove(21,
		check{name: "greeting", keys: "type = \"ftp\"\n"},
		check{name: "login", keys: "type = \"ftp\"\n" + right},
		check{name: "wrong password", keys: "type = \"ftp\"\n" + wrong, reason: "PASS: \"530 Login incorrect.\", want 230, 202"},
		check{name: "file", keys: "type = \"ftp\"\nfile = \"/srv/pub/health file\"\nexpect = \"^all is well\"\n" + right},
		check{name: "wrong file", keys: "type = \"ftp\"\nfile = \"/srv/pub/health file\"\nexpect = \"^well\"\n" + right,
			reason: "file \"all is well\\n\" does not match \"^well\""},
		check{name: "no file", keys: "type = \"ftp\"\nfile = \"/srv/none\"\n" + right, reason: "RETR: \"550 Failed to open file.\", want 150, 125"},
		check{name: "AUTH TLS", keys: "type = \"ftp\"\nstarttls = true\n" + tls + right},
		check{name: "AUTH TLS, unknown CA", keys: "type = \"ftp\"\nstarttls = true\ntls = { server_name = \"server.example\" }\n",
			reason: "TLS: certificate signed by unknown authority"},
		check{name: "file over AUTH TLS", keys: "type = \"ftp\"\nstarttls = true\nfile = \"/srv/pub/health file\"\nexpect = \"^all is well\"\n" + tls + right},
		check{name: "file of ftps", keys: "type = \"ftps\"\nport = 990\nfile = \"/srv/pub/health file\"\nexpect = \"^all is well\"\n" + tls + right},
		check{name: "no file of ftps", keys: "type = \"ftps\"\nport = 990\nfile = \"/srv/none\"\n" + tls + right, reason: "RETR: \"550 Failed to open file.\", want 150, 125"},
		check{name: "ftps", keys: "type = \"ftps\"\nport = 990\n" + tls + right},
		check{name: "ftps, wrong password", keys: "type = \"ftps\"\nport = 990\n" + tls + wrong, reason: "PASS: \"530 Login incorrect.\", want 230, 202"},
	)
}

// What ldirectord finds a file server to be, holdfast finds with the converted file.
func TestVsftpdBesideLdirectord(t *testing.T) {
	m := newMachine(t)
	m.users("ftp", "ann")
	m.file("/etc/shadow", "ann:$6$holdfast$Sm4XD2h/KnQPgd1uufLUd20x..TMTgwpNfvR.2zncgy9VOELplQ4CUDIBz1jhrQywTVZmn1Zg6w2jimcfX7mp0:19000:0:99999:7:::\n", 0o600) // right
	m.file("/etc/pam.d/vsftpd", "auth required pam_unix.so nodelay\naccount required pam_permit.so\nsession required pam_permit.so\n", 0o644)
	m.file("/etc/vsftpd.conf", strings.Replace(vsftpdConfig, "ssl_enable=YES", "ssl_enable=NO", 1), 0o644)
	m.file("/srv/empty", "", 0o644)
	m.file("/srv/pub/health.txt", "all is well\n", 0o644)
	m.start("sh", "-c", "vsftpd /etc/vsftpd.conf & wait")
	m.listens(21)
	const ann = "service=ftp\nlogin=\"ann\"\n"
	m.besideLdirectord(
		old{name: "the file matches", port: 21, lines: ann + "passwd=\"right\"\nrequest=\"srv/pub/health.txt\"\nreceive=\"is w\"\n", well: true},
		old{name: "the file does not match", port: 21, lines: ann + "passwd=\"right\"\nrequest=\"srv/pub/health.txt\"\nreceive=\"is dead\"\n"},
		old{name: "no such file", port: 21, lines: ann + "passwd=\"right\"\nrequest=\"/srv/none\"\nreceive=\"is\"\n"},
		old{name: "wrong password", port: 21, lines: ann + "passwd=\"wrong\"\nrequest=\"/srv/pub/health.txt\"\nreceive=\"is\"\n"},
		old{name: "nobody listens", port: 22, lines: ann + "passwd=\"right\"\nrequest=\"/srv/pub/health.txt\"\nreceive=\"is\"\n"},
		old{name: "nobody may log in without an account", port: 21, lines: "service=ftp\nrequest=\"/srv/pub/health.txt\"\nreceive=\"is\"\n"},
		old{name: "no receive, wrong password", port: 21, lines: ann + "passwd=\"wrong\"\n", well: true, meant: "a login"},
		old{name: "receive, no request", port: 21, lines: ann + "passwd=\"right\"\nreceive=\"is\"\n", meant: "a login"},
	)
}
