package servers_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// startOpenSSH turns off that clients which come often are refused. OpenSSH knows that
// since version 9.8.
const startOpenSSH = `set -e
mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/key
if /usr/sbin/sshd -t -o PerSourcePenalties=no 2>/dev/null; then set -- -o PerSourcePenalties=no; fi
exec /usr/sbin/sshd -D -e "$@"
`

func TestOpenSSH(t *testing.T) {
	m := newMachine(t)
	m.users("sshd")
	m.file("/etc/ssh/sshd_config", "ListenAddress ADDRESS\nListenAddress ADDRESS6\nHostKey /etc/ssh/key\nPidFile none\n", 0o644)
	m.start("sh", "-c", startOpenSSH)
	version := check{name: "version", keys: "type = \"ssh\"\n"}

	// A check is no error to the server.
	m.await(m.watch(22, []check{version}), serviceName(0), "the first check", "")
	lab.Wait(t, 10*time.Second, "what the server says of the check", func() (string, bool) {
		log := m.log()
		return log, strings.Contains(log, "Connection closed by ")
	})
	if log := m.log(); strings.Contains(log, "kex_exchange_identification") {
		t.Errorf("a check that goes well is an error to the server:\n%s", log)
	}

	m.prove(22,
		version,
		check{name: "version over IPv6", keys: version.keys, v6: true},
		check{name: "OpenSSH", keys: "type = \"ssh\"\nbanner = '^SSH-2\\.0-OpenSSH_'\n"},
		check{name: "another server", keys: "type = \"ssh\"\nbanner = \"dropbear\"\n", reason: "banner: \"SSH-2.0-OpenSSH_...\", want a match of \"dropbear\""},
	)
}
