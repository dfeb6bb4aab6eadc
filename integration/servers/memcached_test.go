package servers_test

import "testing"

func TestMemcached(t *testing.T) {
	m := newMachine(t)
	tls := m.certify()
	m.script("chown nobody "+keyFile,
		"exec memcached -u nobody -U 0 -p 11211 -Z -l ADDRESS:11211,notls:ADDRESS:11212 -o ssl_chain_cert="+certFile+",ssl_key="+keyFile)
	m.listens(11211, 11212)
	const memcached, plain, stats, secure = "type = \"memcached\"\n", "port = 11212\n", "command = \"stats\"\n", "use_tls = true\n"
	m.prove(11211,
		check{name: "version", keys: memcached + plain},
		check{name: "a version", keys: memcached + plain + "expect = '^VERSION 1\\.'\n"},
		check{name: "another version", keys: memcached + plain + "expect = '^VERSION 0\\.'\n",
			reason: `version: answer "VERSION 1...does not match "^VERSION 0\\."`},
		check{name: "stats", keys: memcached + plain + stats + "expect = '^STAT accepting_conns 1$'\n"},
		check{name: "other stats", keys: memcached + plain + stats + "expect = '^STAT accepting_conns 0$'\n",
			reason: `stats: no line of the answer matches "^STAT accepting_conns 0$"`},
		check{name: "over TLS", keys: memcached + secure + tls},
		check{name: "TLS with another CA", keys: memcached + secure + otherCA, reason: "TLS: certificate signed by unknown authority"},
	)
}

// A server with a file of users wants a login before anything else.
func TestMemcachedLogin(t *testing.T) {
	m := newMachine(t)
	m.file("/etc/memcached.users", "ann:right\n", 0o644)
	m.script("exec memcached -u nobody -l ADDRESS -U 0 --auth-file=/etc/memcached.users")
	const ann = "type = \"memcached\"\nuser = \"ann\"\n"
	m.prove(11211,
		check{name: "a user", keys: ann + m.password("right")},
		check{name: "a wrong password", keys: ann + m.password("wrong"), reason: `login: answer "CLIENT_ERROR authentication failure"`},
		check{name: "nobody", keys: "type = \"memcached\"", reason: `version: answer "CLIENT_ERROR unauthenticated"`},
	)
}
