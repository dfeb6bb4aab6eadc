package conf

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// warningsOf returns the warnings of a configuration, without the file's name.
func warningsOf(t *testing.T, src string) string {
	t.Helper()
	_, warnings, err := parse("a.toml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(warnings.Error(), "a.toml:", "")
}

// A password that a check sends in clear text is worth a warning.
func TestWarningOfPlainPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(keys string) string {
		return "[[service]]\nname = \"a\"\naddress = \"10.0.0.1:21\"\nserver = [{ address = \"10.0.1.1\" }]\n[service.check]\n" +
			"user = \"ann\"\npassword_file = \"" + path + "\"\n" + keys
	}
	const want = "7: service.a.check.password_file: the check sends this password without TLS: set starttls = true, or use a type that is over TLS"
	for keys, want := range map[string]string{
		"type = \"ftp\"\n":                    want,
		"type = \"ftp\"\nstarttls = true\n":   "",
		"type = \"ftps\"\n":                   "",
		"type = \"imap\"\nstarttls = false\n": want,
	} {
		if got := warningsOf(t, check(keys)); got != want {
			t.Errorf("%q: %s, want %s", keys, got, want)
		}
	}
}

func TestWarnings(t *testing.T) {
	const (
		gw   = "[[track]]\nname = \"gw\"\ntype = \"interface\"\ninterface = \"eth9\"\n"
		gw2  = "[[track]]\nname = \"gw2\"\ntype = \"interface\"\ninterface = \"eth8\"\n"
		file = "[[track]]\nname = \"load\"\ntype = \"file\"\nfile = \"/run/load\"\n"
		ping = "[[track]]\nname = \"ping\"\ntype = \"ping\"\naddress = \"192.0.2.1\"\nfall = 3\ninterval = \"2s\"\ntimeout = \"1s\"\n"
	)
	a := instance("a", "1")
	tracks := func(priority int, list string) string {
		return a + fmt.Sprintf("priority = %d\ntrack = [%s]\n", priority, list)
	}
	service := func(address, more string) string {
		return "[[service]]\nname = \"web\"\naddress = \"" + address + "\"\nserver = [{ address = \"10.0.1.1\" }]\n" + more
	}
	const g = "[[group]]\nname = \"g\"\nmembers = [\"a\", \"b\"]\n"
	b := strings.ReplaceAll(instance("b", "2"), "eth0", "eth1")
	tests := []struct{ name, src, want string }{
		{"nothing", a, ""},
		{"almost a placeholder", service("10.0.0.1:80", "check = { type = \"external\", command = [\"/bin/x\", \"{adress}\", \"{print}\", \"{port}\"] }\n"),
			`5: service.web.check: the program gets {adress} as it stands; did you mean "{address}"?`},
		{"weights that work", tracks(150, `{ name = "gw", weight = 50 }, { name = "gw2", weight = -60 }`) + gw + gw2, ""},
		{"a fault is no weight", tracks(254, `"gw"`) + gw, ""},
		{"no room above", tracks(254, `{ name = "gw", weight = 10 }`) + gw,
			`7: vrrp.a.track: "gw" has weight +10, which never changes the priority of "a": that of a MASTER is 254 whether "gw" is up or down`},
		{"no room below", tracks(1, `{ name = "gw", weight = -10 }`) + gw,
			`7: vrrp.a.track: "gw" has weight -10, which never changes the priority of "a": that of a MASTER is 1 whether "gw" is up or down`},
		{"cut in part", tracks(200, `{ name = "gw", weight = 101 }`) + gw,
			`7: vrrp.a.track: "gw" has weight +101, but the priority 200 of "a" and its weights sum up to 301, which is cut to 254: with "gw" down it falls by 54`},
		{"cut by another", tracks(200, `{ name = "gw", weight = 10 }, { name = "gw2", weight = 100 }`) + gw + gw2,
			`7: vrrp.a.track: "gw" has weight +10, but all weights of "a" sum up to 310, which is cut to 254: that of a MASTER is 254 whether "gw" is up or down` + "\n" +
				`7: vrrp.a.track: "gw2" has weight +100, but the priority 200 of "a" and its weights sum up to 310, which is cut to 254: with "gw2" down it falls by 44`},
		{"room made by another", tracks(254, `{ name = "gw", weight = 10 }, { name = "gw2", weight = -50 }`) + gw + gw2,
			`7: vrrp.a.track: "gw" has weight +10, but all weights of "a" sum up to 264, which is cut to 254: that of a MASTER is 254 whether "gw" is up or down`},
		{"a file may make room", tracks(254, `{ name = "gw", weight = -10 }, { name = "load", weight = -1 }`) + gw + file, ""},
		{"weights of a group", a + "priority = 254\n" + b + g + "track = [{ name = \"gw\", weight = 10 }]\n" + gw,
			`15: group.g.track: "gw" has weight +10, which never changes the priority of "a": that of a MASTER is 254 whether "gw" is up or down`},
		{"no preemption", tracks(150, `{ name = "gw", weight = -10 }`) + "preempt = false\n" + gw,
			`8: vrrp.a.preempt: without preemption, a MASTER that "gw" lowers from 150 to 140 stays MASTER: use weight = 0, which puts it into FAULT instead`},
		{"no preemption in a group", a + "preempt = false\n" + b + "track = [{ name = \"gw\", weight = 20 }]\n" + g + gw,
			`6: vrrp.a.preempt: without preemption, a MASTER that "gw" lowers from 120 to 100 stays MASTER: use weight = 0, which puts it into FAULT instead`},
		{"no preemption and a file", tracks(150, `{ name = "load", weight = -1 }`) + "preempt = false\n" + file,
			`8: vrrp.a.preempt: without preemption, no BACKUP takes over from a MASTER that "load" lowers: use weight = 0, which puts it into FAULT instead`},
		{"no preemption and faults", tracks(150, `"gw"`) + "preempt = false\n" + gw, ""},
		{"one advert", a + "interval = \"100ms\"\ndown_after = 1\n",
			`7: vrrp.a.down_after: a single advert that is lost, or later than 161ms, makes this BACKUP take over from a MASTER that is well`},
		{"fast adverts", a + "interval = \"10ms\"\nfast = true\n",
			`7: vrrp.a.fast: gains nothing: adverts tell of a dead MASTER after 30ms, and [director.fast] after 30ms`},
		{"slower adverts", a + "interval = \"20ms\"\nfast = true\n", ""},
		{"two adverts", a + "interval = \"100ms\"\ndown_after = 2\n", ""},
		{"too early", a + "start_delay = \"3s\"\ntrack = [\"ping\"]\n" + ping + "starts_up = true\n",
			`6: vrrp.a.start_delay: ends after 3s, but it takes 5s to find "ping" down, which counts as up until then (starts_up = true): a director may become MASTER and give up again`},
		{"late enough", a + "start_delay = \"5s\"\ntrack = [\"ping\"]\n" + ping + "starts_up = true\n", ""},
		{"it waits by itself", a + "start_delay = \"3s\"\ntrack = [\"ping\"]\n" + ping, ""},
		{"own device", a + "[[track]]\nname = \"gw\"\ntype = \"interface\"\ninterface = \"vrrp4-1\"\n",
			`9: track.gw.interface: vrrp4-1 is the device of the virtual addresses, which is up only while "a" is MASTER: on a BACKUP the tracker is down`},
		{"own address", a + "[[track]]\nname = \"gw\"\ntype = \"ping\"\naddress = \"10.0.0.1\"\n",
			`9: track.gw.address: 10.0.0.1 is a virtual address of "a": the MASTER asks itself, and a BACKUP asks the MASTER`},
		{"own route", a + "route = [{ to = \"default\", via = \"10.0.0.254\" }]\n[[track]]\nname = \"gw\"\ntype = \"route\"\nroute = \"0.0.0.0/0\"\n",
			`10: track.gw.route: 0.0.0.0/0 is a route of "a", which is there only while "a" is MASTER: on a BACKUP the tracker is down`},
		{"nobody's address", a + service("10.0.0.9:80", ""),
			`8: service.web.address: no [[vrrp]] has the address 10.0.0.9: the service gets packets only if something else brings them here`},
		{"an address that is held", a + service("10.0.0.1:80", "active = \"master\"\n"), ""},
		{"a quorum out of reach", service("10.0.0.9:80", "quorum = 2\n"),
			`5: service.web.quorum: the weights of all servers sum up to 1, which is less than quorum and hysteresis, 2: the service is up only if checks or operators raise weights`},
		{"a weight that cannot rise", service("10.0.0.9:80", "slow_start = \"30s\"\n"),
			`5: service.web.slow_start: a weight of 1 cannot rise: give the servers weights such as 100`},
		{"clients of a dead server", service("10.0.0.9:80", "on_down = \"quiesce\"\npersistence = \"5m\"\n"),
			`5: service.web.on_down: persistent clients of a server that is down stay with it, because it has weight 0 only: set expire_quiescent_template = 1 in [lvs.sysctl]`},
		{"clients that may go", service("10.0.0.9:80", "on_down = \"quiesce\"\npersistence = \"5m\"\n[lvs]\nsysctl = { expire_quiescent_template = 1 }\n"), ""},
		{"a service without VRRP", service("10.0.0.9:80", ""), ""},
		{"a mark", a + "[[service]]\nname = \"web\"\nmark = 1\nserver = [{ address = \"10.0.1.1:80\" }]\n", ""},
		{"another follows", a + b + service("10.0.0.1:80", "active = \"master\"\nfollow = \"b\"\n"),
			`16: service.web.follow: the service follows "b", but its address 10.0.0.1 moves with "a"`},
		{"it follows the group", a + b + g + service("10.0.0.1:80", "active = \"master\"\nfollow = \"g\"\n"), ""},
		{"it follows a member", a + b + g + service("10.0.0.1:80", "active = \"master\"\nfollow = \"b\"\n"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, warningsOf(t, tt.src)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A secret in a configuration that others can read is warned of, in the file
// and line where it stands.
func TestWarningOfSecrets(t *testing.T) {
	for _, tt := range []struct {
		mode os.FileMode
		auth string
		key  string
	}{
		{0o600, "version = 2\nauth = { type = \"ah\", secret = \"tuna\" }\n", "secret"},
		{0o644, "version = 2\nauth = { type = \"ah\", secret = \"tuna\" }\n", "secret"},
		{0o640, "version = 2\nauth = { type = \"ah\", secret = \"tuna\" }\n", "secret"},
		{0o660, "version = 2\nauth = { type = \"ah\", secret = \"tuna\" }\n", "secret"},
		{0o644, "auth = { type = \"hmac\", keys = [\n{ id = 1, secret = \"" + swordfish + "\" }] }\n", "keys"},
		{0o644, "", ""},
	} {
		dir := write(t, map[string]string{"main.toml": "include = [\"a.toml\"]\n", "a.toml": instance("a", "1") + tt.auth})
		path := filepath.Join(dir, "a.toml")
		if err := os.Chmod(path, tt.mode); err != nil {
			t.Fatal(err)
		}
		_, warnings, err := LoadContext(context.Background(), filepath.Join(dir, "main.toml"))
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		most, open := tooOpen(tt.mode, os.Geteuid())
		if tt.auth != "" && open {
			line := 7
			if tt.key == "keys" {
				line = 6
			}
			want = fmt.Sprintf("%s:%d: vrrp.a.auth.%s: others can read or change this secret, because the file has mode %04o: chmod %o %s, or use a secret_file",
				path, line, tt.key, tt.mode, most, path)
		}
		if got := warnings.Error(); got != want {
			t.Errorf("mode %04o: got %q, want %q", tt.mode, got, want)
		}
		if strings.Contains(warnings.Error(), "tuna") || strings.Contains(warnings.Error(), swordfish) {
			t.Error("a warning tells the secret")
		}
	}
}
