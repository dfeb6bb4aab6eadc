package main

import (
	"encoding/json"
	"strings"
	"testing"

	"holdfast/cmd/internal/control"
)

func TestVersion(t *testing.T) {
	dir := t.TempDir()
	daemonAt(t, dir+"/s", &fakeDaemon{})
	code, stdout, _ := call(t, dir, "version --socket @s")
	if code != exitWell || !strings.HasPrefix(stdout, "holdfast ") || !strings.Contains(stdout, "\ndaemon   1.2.3 go1.26.0 pid 812\n") {
		t.Errorf("%d:\n%s", code, stdout)
	}
	code, stdout, stderr := call(t, dir, "version --socket @gone")
	if code != exitWell || strings.Count(stdout, "\n") != 1 || stderr != "" {
		t.Errorf("without a daemon %d:\n%s%s", code, stdout, stderr)
	}
	code, stdout, _ = call(t, dir, "version --json --socket @s")
	var v struct{ Daemon control.VersionInfo }
	if err := json.Unmarshal([]byte(stdout), &v); code != exitWell || err != nil || v.Daemon.PID != 812 {
		t.Errorf("JSON %d, %v:\n%s", code, err, stdout)
	}
}
