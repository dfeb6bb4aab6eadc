package main

import (
	"os"
	"strings"
	"testing"
)

// Warnings are printed beside a valid configuration; with --strict they are
// errors.
func TestCheckWarnings(t *testing.T) {
	dir := t.TempDir()
	const src = "[[vrrp]]\nname = \"a\"\ninterface = \"nosuch0\"\nvrid = 1\naddresses = [\"10.0.0.1/24\"]\ndown_after = 1\n" +
		"also = [{ interface = \"nosuch1\" }]\n[vrrp.notify]\nany = \"/nowhere/notify.sh\"\n[vrrp.fence]\nagent = \"/nowhere/fence\"\nnode = \"b\"\n" +
		"[[vrrp.resource]]\nname = \"r\"\ntype = \"lsb\"\nscript = \"/nowhere/script\"\n"
	if err := os.WriteFile(dir+"/a.toml", []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := call(t, dir, "check -c @a.toml")
	lines := strings.Split(stderr, "\n")
	if code != exitWell || !strings.Contains(stdout, "valid: 1 virtual router") || len(lines) != 7 ||
		!strings.Contains(lines[0], "a.toml:6: vrrp.a.down_after: warning: a single advert") ||
		!strings.Contains(lines[1], "a.toml: vrrp.a.interface: warning: there is no interface nosuch0 here") ||
		!strings.Contains(lines[2], "a.toml: vrrp.a.also: warning: there is no interface nosuch1 here") ||
		!strings.Contains(lines[3], "a.toml: vrrp.a.notify.any: warning: script /nowhere/notify.sh does not exist") ||
		!strings.Contains(lines[4], "a.toml: vrrp.a.resource.r.start: warning: script /nowhere/script does not exist") ||
		!strings.Contains(lines[5], "a.toml: vrrp.a.fence: warning: script /nowhere/fence does not exist") {
		t.Errorf("check: %d %q\n%s", code, stdout, stderr)
	}
	code, stdout, strict := call(t, dir, "check --strict -c @a.toml")
	if want := strings.ReplaceAll(stderr, "warning: ", ""); code != exitFault || stdout != "" || strict != want {
		t.Errorf("check --strict: %d %q\n%swant\n%s", code, stdout, strict, want)
	}
}
