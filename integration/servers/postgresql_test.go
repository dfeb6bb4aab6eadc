package servers_test

import "testing"

const postgresConfig = `
listen_addresses = 'ADDRESS'
unix_socket_directories = ''
ssl = on
ssl_cert_file = '` + certFile + `'
ssl_key_file = '` + keyFile + `'
fsync = off
shared_buffers = 1MB
`

const postgresHosts = `
host    all ann all scram-sha-256
host    all bob all md5
hostssl all eve all scram-sha-256
`

// startPostgres starts a server with the users ann, whose password is hashed as
// SCRAM has it, bob with MD5, and eve, who must use TLS. lines prepare what is asked
// for beyond that.
func (m *machine) startPostgres(lines ...string) {
	m.t.Helper()
	m.users("postgres")
	m.file("/etc/postgres.conf", postgresConfig, 0o644)
	m.file("/etc/postgres.hba", postgresHosts, 0o644)
	m.file("/etc/users.sql", "CREATE ROLE ann LOGIN PASSWORD 'right'\nCREATE ROLE eve LOGIN PASSWORD 'right'\n"+
		"SET password_encryption = md5\nCREATE ROLE bob LOGIN PASSWORD 'right'\n", 0o644)
	m.script(append(append([]string{
		"PATH=$(echo /usr/lib/postgresql/*/bin):$PATH",
		"mkdir /var/lib/db", "chown postgres /var/lib/db " + keyFile,
		"as='setpriv --reuid=postgres --clear-groups'",
		"$as initdb -D /var/lib/db --no-sync -E UTF8 --locale=C >/dev/null",
		"$as postgres --single -D /var/lib/db postgres </etc/users.sql >/dev/null",
	}, lines...), "exec $as postgres -D /var/lib/db -c config_file=/etc/postgres.conf -c hba_file=/etc/postgres.hba")...)
	m.listens(5432)
}

func TestPostgreSQL(t *testing.T) {
	m := newMachine(t)
	tls := m.certify()
	m.startPostgres()
	const pg, ann, bob, eve = "type = \"postgresql\"\n", "user = \"ann\"\n", "user = \"bob\"\n", "user = \"eve\"\n"
	const base, secure = "database = \"postgres\"\n", "use_tls = true\n"
	right, wrong := base+m.password("right"), base+m.password("wrong")
	query := func(text, expect string) string {
		if expect != "" {
			expect = "expect = '" + expect + "'\n"
		}
		return pg + ann + right + "query = \"" + text + "\"\n" + expect
	}
	m.besideLdirectord(
		old{name: "a query", port: 5432, lines: "service=pgsql\ndatabase=\"postgres\"\nrequest=\"SELECT 1\"\nlogin=\"ann\"\npasswd=\"right\"\n", well: true},
		old{name: "a wrong password", port: 5432, lines: "service=pgsql\ndatabase=\"postgres\"\nrequest=\"SELECT 1\"\nlogin=\"ann\"\npasswd=\"wrong\"\n"},
		old{name: "no row", port: 5432, lines: "service=pgsql\ndatabase=\"postgres\"\nrequest=\"SELECT 1 WHERE false\"\nlogin=\"ann\"\npasswd=\"right\"\n"},
		old{name: "no such table", port: 5432, lines: "service=pgsql\ndatabase=\"postgres\"\nrequest=\"SELECT * FROM orders\"\nlogin=\"ann\"\npasswd=\"right\"\n"},
	)
	m.prove(5432,
		check{name: "without a user", keys: pg},
		check{name: "without a user, over TLS", keys: pg + secure + tls},
		check{name: "a login with SCRAM", keys: pg + ann + right},
		check{name: "a login with MD5", keys: pg + bob + right},
		check{name: "a login over TLS", keys: pg + eve + right + secure + tls},
		check{name: "a query", keys: query("SELECT 1", "")},
		check{name: "a row", keys: query("SELECT 'web', NULL, 2", "^web\tNULL\t2$")},
		check{name: "a primary", keys: query("SELECT pg_is_in_recovery()", "^f$")},
		check{name: "several queries", keys: query("SET statement_timeout = 100; SELECT 1", "^1$")},
		check{name: "a wrong password", keys: pg + ann + wrong, reason: `login: password authentication failed for user "ann" (SQLSTATE 28P01)`},
		check{name: "a wrong password with MD5", keys: pg + bob + wrong, reason: `login: password authentication failed for user "bob" (SQLSTATE 28P01)`},
		check{name: "a user that must use TLS", keys: pg + eve + right, reason: `login: no pg_hba.conf entry for host ... no encryption (SQLSTATE 28000)`},
		check{name: "no such database", keys: pg + ann + m.password("right"), reason: `login: database "ann" does not exist (SQLSTATE 3D000)`},
		check{name: "no row", keys: query("SELECT 1 WHERE false", ""), reason: "query: no row"},
		check{name: "another row", keys: query("SELECT 1", "^2$"), reason: `query: row "1" does not match "^2$"`},
		check{name: "no such table", keys: query("SELECT * FROM orders", ""), reason: `query: relation "orders" does not exist (SQLSTATE 42P01)`},
		check{name: "a query that lasts", keys: query("SELECT pg_sleep(30)", ""), reason: "query: timeout after ..."},
		check{name: "many rows", keys: query("SELECT n, repeat('x', 1000) FROM generate_series(1, 2000) n", "^1\tx"),
			reason: "query: the server sent more than 1024 KiB"},
		check{name: "a row of many bytes", keys: query("SELECT repeat('x', 2000000)", ""), reason: "query: the server sent more than 1024 KiB"},
		check{name: "a query that fails late", keys: query("SELECT 10 / (5 - n) FROM generate_series(1, 5) n", ""),
			reason: "query: division by zero (SQLSTATE 22012)"},
		check{name: "TLS with another CA", keys: pg + ann + right + secure + otherCA, reason: "TLS: certificate signed by unknown authority"},
		check{name: "TLS with another CA, without a user", keys: pg + secure + otherCA, reason: "TLS: certificate signed by unknown authority"},
	)
}

// A standby that takes no clients says so to a check without a user.
func TestPostgreSQLStandby(t *testing.T) {
	m := newMachine(t)
	m.certify()
	m.startPostgres("touch /var/lib/db/standby.signal", "echo hot_standby = off >>/etc/postgres.conf", "sed -i 's/^ssl = on/ssl = off/' /etc/postgres.conf")
	m.prove(5432,
		check{name: "without a user", keys: "type = \"postgresql\"\n", reason: "login: the database system is ... (SQLSTATE 57P03)"},
		check{name: "a server without TLS", keys: "type = \"postgresql\"\nuse_tls = true\n", reason: "TLS: the server does not offer it"},
	)
}

// A standby that answers queries is no primary.
func TestPostgreSQLHotStandby(t *testing.T) {
	m := newMachine(t)
	m.certify()
	m.startPostgres("touch /var/lib/db/standby.signal")
	login := "type = \"postgresql\"\nuser = \"ann\"\ndatabase = \"postgres\"\nquery = \"SELECT pg_is_in_recovery()\"\n" + m.password("right")
	m.prove(5432,
		check{name: "without a user", keys: "type = \"postgresql\"\n"},
		check{name: "any row", keys: login},
		check{name: "a standby", keys: login + "expect = '^t$'\n"},
		check{name: "no primary", keys: login + "expect = '^f$'\n", reason: `query: row "t" does not match "^f$"`},
	)
}
