package integration_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// Alerts arrive at Net-SNMP's snmptrapd: with version 2c, and with version 3 signed and
// encrypted, confirmed or not.
func TestAlertTraps(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	secret := func(name, text string) string {
		path := p.WriteFile(name, text)
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	community, auth, crypt := secret("community", "s3cret\n"), secret("auth", "auth-passphrase\n"), secret("crypt", "crypt-passphrase\n")
	const algorithms = ` SHA-256 "auth-passphrase" AES "crypt-passphrase"`
	reader := host.TrapReader("createUser -e 0x80001f88046c767331 teller"+algorithms, "createUser asker"+algorithms)
	enterprises := map[string]string{"v2c": "1.3.6.1.4.1.99999.1", "v2c-confirm": "1.3.6.1.4.1.99999.2", "v3": "1.3.6.1.4.1.99999.3", "v3-confirm": "1.3.6.1.4.1.99999.4"}
	v3 := func(user string) string {
		return "version = \"3\"\nuser = \"" + user + "\"\nauth_file = \"" + auth + "\"\ncrypt_file = \"" + crypt + "\"\n"
	}
	trap := func(name, lines string) string {
		return "[[notify.trap]]\nname = \"" + name + "\"\naddress = \"127.0.0.1\"\nenterprise = \"" + enterprises[name] + "\"\n" + lines
	}
	daemon := host.Holdfast(`[[vrrp]]
name = "outside"
interface = "eth0"
vrid = 51
priority = 200
interval = "100ms"
addresses = ["10.0.0.100/24"]
` + trap("v2c", "community_file = \""+community+"\"\n") + trap("v2c-confirm", "confirm = true\n") +
		trap("v3", v3("teller")) + trap("v3-confirm", v3("asker")+"confirm = true\n") + `[[alert]]
name = "ops"
gather = "100ms"
traps = ["v2c", "v2c-confirm", "v3", "v3-confirm"]
`)
	daemon.AwaitState(t, "MASTER")
	host.Wires["eth0"].Cut()
	arrived := func(kind, state string) {
		t.Helper()
		for name, enterprise := range enterprises {
			lab.Wait(t, 20*time.Second, "the "+state+" trap by "+name, func() (string, bool) {
				for line := range strings.Lines(reader.LogText()) {
					if !strings.Contains(line, "."+enterprise+kind) {
						continue
					}
					for i, text := range []string{"ops", "lvs1", state} {
						if want := fmt.Sprintf("%s.1.%d.0 \"% X \"", enterprise, i+1, text); !strings.Contains(line, want) {
							t.Errorf("%s: no %s in %s", name, want, line)
						}
					}
					return "", true
				}
				return reader.LogText(), false
			})
		}
	}
	arrived(".0.1", "DOWN")
	host.Wires["eth0"].Replug()
	arrived(".0.2", "UP")
	out, _, _ := daemon.CLI("status", "--json")
	if strings.Contains(out, "s3cret") || strings.Contains(out, "passphrase") {
		t.Error("the status has a secret")
	}
}
