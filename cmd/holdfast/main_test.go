package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/cmd/internal/status"
	"holdfast/integration/tools/golden"
)

const validConfig = `
[director]
name = "lvs1"
runtime_dir = %q
[[vrrp]]
name = "outside"
interface = "lo"
vrid = 51
addresses = ["10.0.0.100/24"]
`

// call runs a command line in which words stand for the files in dir.
func call(t *testing.T, dir, line string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	args := strings.Fields(strings.ReplaceAll(line, "@", dir+"/"))
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, strings.ReplaceAll(out.String(), dir, "DIR"), strings.ReplaceAll(errs.String(), dir, "DIR")
}

func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"valid.toml": fmt.Sprintf(validConfig, dir+"/well"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	unwell := wellStatus()
	unwell.VRRP[0].State, unwell.VRRP[0].Reasons = "FAULT", []status.Reason{{Key: "link", Text: "eth0 has no carrier", Since: noon}}
	daemonAt(t, dir+"/well/control.sock", &fakeDaemon{status: wellStatus(), active: 2})
	daemonAt(t, dir+"/unwell.sock", &fakeDaemon{status: unwell, empty: true, active: 1000})
	daemonAt(t, dir+"/fleeting.sock", &fakeDaemon{fails: "the upgrade failed: run /usr/local/sbin/holdfast: no such file or directory"})
	daemonAt(t, dir+"/failing.sock", &fakeDaemon{err: errors.New("valid.toml:7: vrrp.outside.vrid: must be 1 to 255\nvalid.toml:9: x")})
	const gone = " --socket @gone.sock"

	tests := []struct {
		line string
		code int
	}{
		{"", exitUsage},
		{"--help", exitWell},
		{"bogus", exitUsage},
		{"statsu", exitUsage},
		{"help bogus", exitUsage},
		{"help config bogus", exitUsage},
		{"help reload", exitWell},
		{"ack", exitUsage},
		{"convert", exitUsage},
		{"status --bogus", exitUsage},
		{"status bogus", exitUsage},
		{"status vrrp lvs", exitUsage},
		{"status --json --watch", exitUsage},
		{"events --since yesterday", exitUsage},
		{"reload now", exitUsage},
		{"config", exitUsage},
		{"config bogus", exitUsage},
		{"run --log-level loud --log-format xml", exitUsage},
		{"check -c @valid.toml", exitWell},
		{"status -c @valid.toml", exitWell},
		{"status vrrp --socket @well/control.sock", exitWell},
		{"status --socket @unwell.sock", exitFault},
		{"status --socket @failing.sock", exitFault},
		{"status --color red -c @valid.toml", exitUsage},
		{"status" + gone, exitFault},
		{"events -c @valid.toml", exitWell},
		{"events --json --since 1 -c @valid.toml", exitWell},
		{"events --state --json -c @valid.toml", exitWell},
		{"events --state --since 1 -c @valid.toml", exitUsage},
		{"events" + gone, exitFault},
		{"reload -c @valid.toml", exitWell},
		{"reload --socket @unwell.sock", exitWell},
		{"reload --socket @failing.sock", exitFault},
		{"reload" + gone, exitFault},
		{"handover -c @valid.toml", exitWell},
		{"handover inside -c @valid.toml", exitWell},
		{"handover a b", exitUsage},
		{"handover --socket @failing.sock", exitFault},
		{"handover" + gone, exitFault},
		{"drain web -c @valid.toml", exitUsage},
		{"drain web 192.168.0.12:80 --for 5m -c @valid.toml", exitWell},
		{"drain web 192.168.0.12:80 --wait -c @valid.toml", exitWell},
		{"drain web 192.168.0.12:80 --wait --timeout 1ms --json --socket @unwell.sock", exitFault},
		{"drain web rs9 --socket @failing.sock", exitFault},
		{"drain web rs1" + gone, exitFault},
		{"enable all rs1 -c @valid.toml", exitWell},
		{"weight web rs1 -c @valid.toml", exitUsage},
		{"weight web rs1 many -c @valid.toml", exitUsage},
		{"weight web rs1 -15 -c @valid.toml", exitUsage},
		{"weight web rs1 3 -1s -c @valid.toml", exitUsage},
		{"weight web rs1 3 --for -1s -c @valid.toml", exitUsage},
		{"weight web rs1 3 -c @valid.toml", exitWell},
		{"upgrade now", exitUsage},
		{"upgrade --socket @failing.sock", exitFault},
		{"upgrade --socket @fleeting.sock", exitFault},
		{"upgrade" + gone, exitFault},
		{"release -c @nowhere.toml", exitFault},
		{"doctor now", exitUsage},
		{"doctor -c @nowhere.toml", exitFault},
		{"doctor --json -c @nowhere.toml", exitFault},
		{"plan -c @valid.toml", exitChanges},
		{"plan --color always -c @valid.toml", exitChanges},
		{"plan --color red -c @valid.toml", exitUsage},
		{"plan --json -c @valid.toml", exitChanges},
		{"plan --socket @unwell.sock", exitWell},
		{"plan --socket @failing.sock", exitFault},
		{"plan -c @valid.toml" + gone, exitChanges},
	}
	var all strings.Builder
	for _, test := range tests {
		t.Run(test.line, func(t *testing.T) {
			code, stdout, stderr := call(t, dir, test.line)
			if code != test.code {
				t.Errorf("exit code %d, want %d\n%s%s", code, test.code, stdout, stderr)
			}
			fmt.Fprintf(&all, "$ holdfast %s\n%s", test.line, stdout)
			for line := range strings.Lines(stderr) {
				all.WriteString("! " + line)
			}
			fmt.Fprintf(&all, "-- %d\n\n", code)
		})
	}
	golden.Compare(t, "testdata/commands.txt", all.String())
}
