package servers_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// startMariaDB starts a server with the users of mariadbUsers.
func (m *machine) startMariaDB(options string) {
	m.t.Helper()
	m.users("mysql")
	m.file("/etc/users.sql", mariadbUsers, 0o644)
	m.file("/etc/hosts", director.String()+" director.example\n", 0o644) // only clients with a name are counted
	const server = "mariadbd --no-defaults --datadir=/var/lib/db --user=mysql --innodb-buffer-pool-size=8M --innodb-log-file-size=4M "
	m.script("mkdir /var/lib/db", "chown mysql /var/lib/db "+keyFile,
		"cd /usr/share/mysql",
		"{ printf 'CREATE DATABASE mysql;\\nUSE mysql;\\nSET @auth_root_socket = NULL;\\n'; cat mysql_system_tables.sql mysql_system_tables_data.sql; } | "+
			server+"--bootstrap",
		"exec "+server+"--bind-address=ADDRESS --socket=/tmp/db.sock --init-file=/etc/users.sql --ssl-cert="+certFile+" --ssl-key="+keyFile+" "+options)
	// To wait for it with a connection that says nothing would count as an error.
}

const mariadbUsers = `CREATE USER ann IDENTIFIED BY 'right';
CREATE USER bob IDENTIFIED BY 'right' REQUIRE SSL;
CREATE DATABASE shop;
CREATE TABLE shop.status (name VARCHAR(20), enabled INT);
INSERT INTO shop.status VALUES ('web', 1), ('mail', NULL);
GRANT SELECT ON shop.* TO ann;
`

func TestMariaDB(t *testing.T) {
	m := newMachine(t)
	tls := m.certify()
	m.startMariaDB("--read-only")
	const mysql, ann, bob, shop, secure = "type = \"mysql\"\n", "user = \"ann\"\n", "user = \"bob\"\n", "database = \"shop\"\n", "use_tls = true\n"
	right, wrong := m.password("right"), m.password("wrong")
	query := func(text, expect string) string {
		if expect != "" {
			expect = "expect = '" + expect + "'\n"
		}
		return mysql + ann + right + shop + "query = \"" + text + "\"\n" + expect
	}
	m.besideLdirectord(
		old{name: "a query", port: 3306, lines: "service=mysql\ndatabase=\"shop\"\nrequest=\"SELECT * FROM status\"\nlogin=\"ann\"\npasswd=\"right\"\n", well: true},
		old{name: "a wrong password", port: 3306, lines: "service=mysql\ndatabase=\"shop\"\nrequest=\"SELECT * FROM status\"\nlogin=\"ann\"\npasswd=\"wrong\"\n"},
		old{name: "no row", port: 3306, lines: "service=mysql\ndatabase=\"shop\"\nrequest=\"SELECT * FROM status WHERE enabled = 2\"\nlogin=\"ann\"\npasswd=\"right\"\n"},
		old{name: "no such table", port: 3306, lines: "service=mysql\ndatabase=\"shop\"\nrequest=\"SELECT * FROM orders\"\nlogin=\"ann\"\npasswd=\"right\"\n"},
	)
	m.prove(3306,
		check{name: "without a user", keys: mysql},
		check{name: "without a user, over TLS", keys: mysql + secure + tls},
		check{name: "a login", keys: mysql + ann + right},
		check{name: "a login over TLS", keys: mysql + bob + right + secure + tls},
		check{name: "a query", keys: query("SELECT 1", "")},
		check{name: "a row", keys: query("SELECT * FROM status WHERE name = 'web'", "^web\\t1$")},
		check{name: "a row with NULL", keys: query("SELECT * FROM status WHERE name = 'mail'", "^mail\\tNULL$")},
		check{name: "a wrong password", keys: mysql + ann + wrong,
			reason: "login: Access denied for user 'ann'@... (using password: YES) (error 1045)"},
		check{name: "a user that must use TLS", keys: mysql + bob + right, reason: "login: Access denied for user 'bob'@... (error 1045)"},
		check{name: "no such database", keys: mysql + ann + right + "database = \"other\"\n",
			reason: "login: Access denied for user 'ann'@'%' to database 'other' (error 1044)"},
		check{name: "no row", keys: query("SELECT * FROM status WHERE enabled = 2", ""), reason: "query: no row"},
		check{name: "another row", keys: query("SELECT @@read_only", "^0$"), reason: `query: row "1" does not match "^0$"`},
		check{name: "no such table", keys: query("SELECT * FROM orders", ""), reason: "query: ...(error 1...)"},
		check{name: "a query that lasts", keys: query("SELECT SLEEP(30)", ""), reason: "query: timeout after ..."},
		check{name: "many rows", keys: query("SELECT seq, REPEAT('x', 1000) FROM seq_1_to_2000", ""),
			reason: "query: the server sent more than 1024 KiB"},
		check{name: "a row of many bytes", keys: query("SELECT REPEAT('x', 2000000)", ""), reason: "query: the server sent more than 1024 KiB"},
		check{name: "TLS with another CA", keys: mysql + ann + right + secure + otherCA, reason: "TLS: certificate signed by unknown authority"},
	)
}

// A server that takes nobody any more says so to a check without a user.
func TestMariaDBRefuses(t *testing.T) {
	m := newMachine(t)
	m.certify()
	m.startMariaDB("--max-connections=10 --max-connect-errors=1")
	seen := m.watch(3306, []check{{keys: "type = \"mysql\"\n"}})
	// Each of these attempts would be the last if the server counted it as an error.
	lab.Wait(t, 20*time.Second, "several attempts find room", func() (string, bool) {
		counts := seen.Status()[0].Counts
		return fmt.Sprint(counts), counts.Successes >= 4
	})
	m.await(seen, serviceName(0), "it has room", "")

	var held []net.Conn
	for range 11 {
		held = append(held, m.connect(3306))
	}
	m.await(seen, serviceName(0), "it has no room", "login: Too many connections (error 1040)")
	for _, conn := range held { // which counts as failed handshakes
		conn.Close()
	}
	m.await(seen, serviceName(0), "it has blocked the director",
		"login: Host ... is blocked because of many connection errors; unblock with ... (error 1129)")
}
