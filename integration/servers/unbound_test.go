package servers_test

import "testing"

// unbound answers for a zone of its own, over UDP and TCP.
func TestUnbound(t *testing.T) {
	m := newMachine(t)
	m.file("/etc/unbound.conf", `server:
	interface: ADDRESS
	interface: ADDRESS6
	access-control: 0.0.0.0/0 allow
	access-control: ::/0 allow
	do-daemonize: no
	use-syslog: no
	username: ""
	chroot: ""
	directory: "/tmp"
	pidfile: ""
	module-config: "iterator"
	local-zone: "example.com." static
	local-data: "www.example.com. 60 IN A 192.0.2.80"
	local-data: "www.example.com. 60 IN AAAA 2001:db8::80"
	local-data: "example.com. 60 IN MX 10 mail.example.com."
	local-data: 'example.com. 60 IN TXT "v=spf1 -all"'
	local-zone: "example.net." always_refuse
`, 0o644)
	m.start("unbound", "-d", "-p", "-c", "/etc/unbound.conf")
	m.listens(53)
	const dns = "type = \"dns\"\n"
	m.besideLdirectord(
		old{name: "an address", port: 53, lines: "service=dns\nprotocol=udp\nrequest=\"www.example.com\"\nreceive=\"192.0.2.80\"\n", well: true},
		old{name: "another address", port: 53, lines: "service=dns\nprotocol=udp\nrequest=\"www.example.com\"\nreceive=\"192.0.2.81\"\n"},
		old{name: "no such name", port: 53, lines: "service=dns\nprotocol=udp\nrequest=\"nobody.example.com\"\nreceive=\"192.0.2.80\"\n"},
		old{name: "no receive", port: 53, lines: "service=dns\nprotocol=udp\nrequest=\"www.example.com\"\n", meant: "any address"},
	)
	m.prove(53,
		check{name: "an address", keys: dns + "name = \"www.example.com\"\nrecord = \"A\"\nexpect = '^192\\.0\\.2\\.80$'\n"},
		check{name: "an IPv6 address, over IPv6", keys: dns + "name = \"www.example.com\"\nrecord = \"AAAA\"\nexpect = '^2001:db8::80$'\n", v6: true},
		check{name: "over TCP", keys: dns + "name = \"www.example.com\"\nrecord = \"A\"\ntcp = true\n"},
		check{name: "a mail exchanger", keys: dns + "name = \"example.com\"\nrecord = \"MX\"\nexpect = 'mail\\.example\\.com'\n"},
		check{name: "a text", keys: dns + "name = \"example.com\"\nrecord = \"TXT\"\nexpect = 'v=spf1 -all'\n"},
		check{name: "another address", keys: dns + "name = \"www.example.com\"\nrecord = \"A\"\nexpect = '^192\\.0\\.2\\.81$'\n", reason: "...192.0.2.80...does not match..."},
		check{name: "a name that is not there", keys: dns + "name = \"nobody.example.com\"\nrecord = \"A\"\n", reason: "DNS NXDOMAIN, want NOERROR"},
		check{name: "a name that must not be there", keys: dns + "name = \"nobody.example.com\"\nrecord = \"A\"\nrcode = [\"NXDOMAIN\"]\n"},
		check{name: "a zone that is refused", keys: dns + "name = \"www.example.net\"\nrecord = \"A\"\n", reason: "DNS REFUSED, want NOERROR"},
	)
}
