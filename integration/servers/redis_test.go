package servers_test

import "testing"

// Redis with a password for the default user, users of its own, and TLS.
func TestRedis(t *testing.T) {
	m := newMachine(t)
	tls := m.certify()
	m.file("/etc/redis.conf", "bind ADDRESS\nport 6379\ntls-port 6380\ntls-auth-clients no\n"+
		"tls-cert-file "+certFile+"\ntls-key-file "+keyFile+"\n"+
		"requirepass sesame\nuser watcher on >open +ping +info\nuser nobody on >open -@all\n", 0o644)
	m.start("redis-server", "/etc/redis.conf", "--logfile", "", "--dir", "/tmp")
	m.listens(6379, 6380)
	const redis, watcher, secure = "type = \"redis\"\n", "user = \"watcher\"\n", "port = 6380\nuse_tls = true\n"
	sesame, open := m.password("sesame"), m.password("open")
	m.prove(6379,
		check{name: "the default user", keys: redis + sesame},
		check{name: "a user", keys: redis + watcher + open},
		check{name: "a master", keys: redis + watcher + "role = \"master\"\n" + open},
		check{name: "over TLS", keys: redis + secure + sesame + tls},
		check{name: "nobody", keys: redis, reason: "PING: NOAUTH Authentication required."},
		check{name: "a wrong password", keys: redis + open,
			reason: "login: WRONGPASS invalid username-password pair or user is disabled."},
		check{name: "no permission", keys: redis + "user = \"nobody\"\n" + open, reason: "PING: NOPERM ..."},
		check{name: "no replica", keys: redis + "role = \"replica\"\n" + sesame, reason: "role: the server is a master, want replica"},
		check{name: "TLS with another CA", keys: redis + secure + sesame + otherCA, reason: "TLS: certificate signed by unknown authority"},
	)
}

// A replica that has lost its master answers, and says that it is no master.
func TestRedisReplica(t *testing.T) {
	m := newMachine(t)
	m.file("/etc/redis.conf", "bind ADDRESS\nprotected-mode no\nreplicaof ADDRESS 1\n", 0o644)
	m.start("redis-server", "/etc/redis.conf", "--logfile", "", "--dir", "/tmp")
	m.prove(6379,
		check{name: "any role", keys: "type = \"redis\""},
		check{name: "a replica", keys: "type = \"redis\"\nrole = \"replica\""},
		check{name: "no master", keys: "type = \"redis\"\nrole = \"master\"", reason: "role: the server is a replica, want master"},
	)
}

// A server without a password refuses clients that are not on its host.
func TestRedisProtected(t *testing.T) {
	m := newMachine(t)
	m.start("redis-server", "--bind", m.address.String(), "--logfile", "", "--dir", "/tmp")
	m.prove(6379, check{name: "protected mode", keys: "type = \"redis\"",
		reason: "PING: DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user"})
}
