package servers_test

import "testing"

// dnsmasq as a name server knows one domain and refuses to answer about others.
func TestDnsmasq(t *testing.T) {
	m := newMachine(t)
	m.dnsmasq()
	question := "1234 0100 0001 0000 0000 0000 03777777 076578616d706c65 03636f6d 00 0001 0001"
	m.prove(53,
		check{name: "dns", keys: "type = \"dns\"\nname = \"www.example.com\"\nrecord = \"A\""},
		check{name: "dns over IPv6", keys: "type = \"dns\"\nname = \"www.example.com\"\nrecord = \"A\"", v6: true},
		check{name: "dns of another domain", keys: "type = \"dns\"\nname = \"www.example.net\"", reason: "DNS REFUSED, want NOERROR"},
		check{name: "udp", keys: "type = \"udp\"\nexpect = '^\\x124'\nsend_hex = \"" + question + "\""},
		check{name: "udp, the length of the answer", keys: "type = \"udp\"\nmin_length = 49\nmax_length = 49\nsend_hex = \"" + question + "\""},
		check{name: "udp, a longer answer", keys: "type = \"udp\"\nmin_length = 50\nsend_hex = \"" + question + "\"", reason: "answer...has 49 bytes, want at least 50"},
		check{name: "udp, a shorter answer", keys: "type = \"udp\"\nmax_length = 40\nsend_hex = \"" + question + "\"", reason: "answer...has 49 bytes, want at most 40"},
		check{name: "udp, any digit", keys: "type = \"udp\"\nexpect_hex = \"12x4 8xxx\"\nsend_hex = \"" + question + "\""},
		check{name: "udp, another digit", keys: "type = \"udp\"\nexpect_hex = \"12x5\"\nsend_hex = \"" + question + "\"", reason: "answer 1234...does not begin with 12x5"},
		check{name: "udp with another answer", keys: "type = \"udp\"\nexpect = 'pong'\nsend_hex = \"" + question + "\"",
			reason: `answer "\x124...does not match "pong"`},
	)
}

// A server that does not answer is well with silence_ok, until its port is closed.
func TestDnsmasqSilence(t *testing.T) {
	m := newMachine(t)
	m.dnsmasq()
	checks := []check{{name: "silence", keys: "type = \"udp\"\nsend = \"no question\"\nsilence_ok = true\n"}}
	set := m.checker(53, checks, "interval = \"24h\"\ntimeout = \"200ms\"\nfall = 1\n")
	m.await(set, serviceName(0), "dnsmasq says nothing", "")
	m.stop()
	m.await(set, serviceName(0), "nobody listens", "answer: connection refused")
}

// dnsmasq starts the name server.
func (m *machine) dnsmasq() {
	m.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--pid-file=",
		"--user=", "--log-facility=-", "--bind-interfaces", "--listen-address="+m.address.String()+","+m.v6.String(),
		"--address=/example.com/192.0.2.1")
}
