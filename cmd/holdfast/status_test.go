package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestStatusJSON(t *testing.T) {
	dir := t.TempDir()
	daemonAt(t, dir+"/s", &fakeDaemon{status: wellStatus()})
	for section, want := range map[string]string{
		"":       "checks config director dropped groups lvs notify now pid problems realtime repairs software started trackers unknown_vrid upgrades version vrrp",
		"vrrp":   "groups trackers version vrrp",
		"lvs":    "lvs version",
		"checks": "checks version",
	} {
		code, stdout, stderr := call(t, dir, "status --json --socket @s "+section)
		var fields map[string]any
		if err := json.Unmarshal([]byte(stdout), &fields); err != nil || code != exitWell {
			t.Fatalf("%q: exit code %d, %v\n%s%s", section, code, err, stdout, stderr)
		}
		if got := strings.Join(slices.Sorted(maps.Keys(fields)), " "); got != want || fields["version"] != 1.0 {
			t.Errorf("%q: version %v with %s, want 1 with %s", section, fields["version"], got, want)
		}
	}
}
