package servers_test

import "testing"

// A directory with one domain and one person, who may log in. Nobody else may read
// the person.
const slapdConfig = `
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
pidfile /run/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile ` + certFile + `
TLSCertificateKeyFile ` + keyFile + `
database mdb
suffix "dc=example,dc=com"
directory /var/lib/directory
rootdn "cn=admin,dc=example,dc=com"
access to dn.base="cn=ann,dc=example,dc=com" by self read by anonymous auth by * none
access to * by * read
`

const slapdEntries = `dn: dc=example,dc=com
objectClass: domain
dc: example

dn: cn=ann,dc=example,dc=com
objectClass: person
cn: ann
sn: Other
userPassword: right
description: the status is fine
`

func TestSlapd(t *testing.T) {
	m := newMachine(t)
	tls := m.certify()
	m.file("/etc/slapd.conf", slapdConfig, 0o644)
	m.file("/etc/entries.ldif", slapdEntries, 0o644)
	m.script("mkdir /var/lib/directory", "slapadd -f /etc/slapd.conf -l /etc/entries.ldif",
		"exec slapd -d stats -f /etc/slapd.conf -h 'ldap://ADDRESS ldaps://ADDRESS'")
	m.listens(389, 636)
	const ldap, ldaps, base = "type = \"ldap\"\n", "type = \"ldaps\"\nport = 636\n", "base = \"dc=example,dc=com\"\n"
	const ann, person = "user = \"cn=ann,dc=example,dc=com\"\n", "base = \"cn=ann,dc=example,dc=com\"\n"
	right, wrong := ann+m.password("right"), ann+m.password("wrong")
	m.besideLdirectord(
		old{name: "an entry", port: 389, lines: "service=ldap\nrequest=\"dc=example,dc=com\"\nreceive=\"dc=example\"\n", well: true},
		old{name: "an attribute", port: 389, meant: "any text of the entry", lines: "service=ldap\nrequest=\"cn=ann,dc=example,dc=com\"\nreceive=\"fine\"\nlogin=\"cn=ann,dc=example,dc=com\"\npasswd=\"right\"\n"},
		old{name: "a login", port: 389, lines: "service=ldap\nrequest=\"cn=ann,dc=example,dc=com\"\nreceive=\"cn=ann\"\nlogin=\"cn=ann,dc=example,dc=com\"\npasswd=\"right\"\n", well: true},
		old{name: "a wrong password", port: 389, lines: "service=ldap\nrequest=\"cn=ann,dc=example,dc=com\"\nreceive=\"fine\"\nlogin=\"cn=ann,dc=example,dc=com\"\npasswd=\"wrong\"\n"},
		old{name: "another attribute", port: 389, lines: "service=ldap\nrequest=\"dc=example,dc=com\"\nreceive=\"no such text\"\n"},
		old{name: "no such entry", port: 389, lines: "service=ldap\nrequest=\"dc=example,dc=net\"\n"},
		old{name: "over TLS", port: 636, lines: "service=ldaps\nrequest=\"dc=example,dc=com\"\nreceive=\"dc=example\"\n", well: true},
	)
	m.prove(389,
		check{name: "the root DSE", keys: ldap},
		check{name: "bind alone", keys: ldap + "scope = \"none\"\n"},
		check{name: "an entry", keys: ldap + base + "expect = '^dc=example,dc=com$'\n"},
		check{name: "an attribute", keys: ldap + person + right + "expect = '^description: .* fine$'\n"},
		check{name: "a filter", keys: ldap + base + right + "scope = \"sub\"\nfilter = \"(sn=Other)\"\n"},
		check{name: "more entries than one", keys: ldap + base + right + "scope = \"sub\"\n"},
		check{name: "one level", keys: ldap + base + right + "scope = \"one\"\nexpect = '^cn: ann$'\n"},
		check{name: "STARTTLS", keys: ldap + base + right + "starttls = true\n" + tls},
		check{name: "TLS", keys: ldaps + base + right + tls},
		check{name: "a wrong password", keys: ldap + wrong, reason: "login: invalid credentials"},
		check{name: "no such entry", keys: ldap + "base = \"dc=example,dc=net\"\n", reason: "search: no such object"},
		check{name: "an entry that nobody may read", keys: ldap + person, reason: "search: insufficient access rights"},
		check{name: "a filter that matches nothing", keys: ldap + base + "filter = \"(dc=other)\"\n",
			reason: `search: no entry at "dc=example,dc=com" matches (dc=other)`},
		check{name: "a filter that is none", keys: ldap + "filter = \"(cn)\"\n", reason: "search: ..."},
		check{name: "another attribute", keys: ldap + base + "expect = 'cn: bob'\n",
			reason: `search: no DN and no attribute of 1 entries matches "cn: bob"`},
		check{name: "STARTTLS with another CA", keys: ldap + "starttls = true\n" + otherCA,
			reason: "STARTTLS: certificate signed by unknown authority"},
		check{name: "TLS with another CA", keys: ldaps + otherCA, reason: "TLS: certificate signed by unknown authority"},
		check{name: "ldaps to the other port", keys: "type = \"ldaps\"\n", reason: "TLS: the server closed the connection too early"},
	)
}
