package servers_test

import "testing"

const (
	innConfig = `
pathhost: server.example
domain: example
mta: "/bin/true %s"
enableoverview: true
hismethod: hisv6
nnrpdloadlimit: 0
ovmethod: tradindexed
pathnews: /usr/lib/news
pathetc: /etc/news
pathdb: /var/lib/news
pathrun: /run/news
pathlog: /var/log/news
pathspool: /var/spool/news
pathtmp: /tmp
tlscertfile: /etc/ssl/server.pem
tlskeyfile: /etc/ssl/server.key
tlscafile: /etc/ssl/server.pem
`
	// Everybody may read one hierarchy; ann reads the other one as well.
	innReaders = `
auth "all" {
  hosts: "*"
  default: "anybody"
  auth: "ckpasswd -f /etc/news/passwords"
}
access "anybody" {
  users: "anybody"
  newsgroups: "open.*"
}
access "ann" {
  users: "ann"
  newsgroups: "*"
}
`
)

// startINN lets INN make its overview of both groups before the two servers start.
const startINN = `set -e
mkdir -p /run/news /var/log/news /var/spool/news/articles /var/spool/news/overview
chown -R news /run/news /var/log/news /var/spool/news /var/lib/news /etc/ssl/server.key
setpriv --reuid news --regid news --clear-groups /usr/lib/news/bin/makehistory -O
/usr/lib/news/bin/nnrpd -D -f -p 119 &
/usr/lib/news/bin/nnrpd -D -f -S -p 563 &
wait
`

// nnrpd of INN serves the readers of news.
func TestINN(t *testing.T) {
	m := newMachine(t)
	tls := m.certify()
	m.users("news")
	m.file("/etc/news/inn.conf", innConfig, 0o644)
	m.file("/etc/news/readers.conf", innReaders, 0o644)
	m.file("/etc/news/passwords", "ann:$6$holdfast$Sm4XD2h/KnQPgd1uufLUd20x..TMTgwpNfvR.2zncgy9VOELplQ4CUDIBz1jhrQywTVZmn1Zg6w2jimcfX7mp0\n", 0o644) // right
	m.file("/etc/news/storage.conf", "method tradspool {\n  newsgroups: *\n  class: 0\n}\n", 0o644)
	m.file("/var/lib/news/active", "open.test 0000000000 0000000001 y\nclosed.test 0000000000 0000000001 y\n", 0o644)
	m.file("/var/lib/news/newsgroups", "", 0o644)
	m.start("sh", "-c", startINN)
	m.listens(119, 563)
	right, wrong := "user = \"ann\"\n"+m.password("right"), "user = \"ann\"\n"+m.password("wrong")
	m.besideLdirectord(
		old{name: "greeting", port: 119, lines: "service=nntp\n", well: true},
		old{name: "nobody there", port: 120, lines: "service=nntp\n"},
	)
	m.prove(119,
		check{name: "greeting", keys: "type = \"nntp\"\n"},
		check{name: "group", keys: "type = \"nntp\"\ngroup = \"open.test\"\n"},
		check{name: "group that is not there", keys: "type = \"nntp\"\ngroup = \"open.other\"\n", reason: "GROUP: \"411 ...\", want 211"},
		check{name: "group for ann", keys: "type = \"nntp\"\nstarttls = true\ngroup = \"closed.test\"\n" + tls + right},
		check{name: "wrong password", keys: "type = \"nntp\"\nstarttls = true\n" + tls + wrong, reason: "AUTHINFO PASS: \"481 Authentication failed\", want 281"},
		check{name: "nntps", keys: "type = \"nntps\"\nport = 563\ngroup = \"closed.test\"\n" + tls + right},
	)
}
