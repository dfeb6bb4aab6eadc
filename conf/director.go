package conf

import (
	"cmp"
	"log/slog"
	"path/filepath"
	"time"

	"holdfast/checker"
)

var logLevel = choice(
	option[slog.Level]{"debug", slog.LevelDebug},
	option[slog.Level]{"info", slog.LevelInfo},
	option[slog.Level]{"warn", slog.LevelWarn},
	option[slog.Level]{"error", slog.LevelError},
)

var logFormat = choice(
	option[LogFormat]{"auto", LogAuto},
	option[LogFormat]{"text", LogText},
	option[LogFormat]{"json", LogJSON},
)

const defaultRuntimeDir = "/run/holdfast"

// journalName is the name of the file of events.
const journalName = "events.jsonl"

// defaultJournal is in the state directory, which outlasts a boot. A director with a
// runtime directory of its own is not the only one on this machine: it has its
// journal there.
func defaultJournal(runtimeDir string) string {
	if runtimeDir == defaultRuntimeDir {
		return "/var/lib/holdfast/" + journalName
	}
	return filepath.Join(runtimeDir, journalName)
}

// pathOrOff is the path of a file, or "off" for none.
var pathOrOff = textual(`an absolute path or "off"`, func(s string) (string, error) {
	if s == "off" {
		return "", nil
	}
	return absolutePath.decodeText(s)
}, func(s string) string { return cmp.Or(s, "off") })

func (d *Director) visit(t *table) {
	field(t, "name", &d.Name, name, "")
	if t.reading() && !t.has("name") {
		host, err := t.in.env.hostname()
		if err != nil {
			t.failf("name", "is required, because the host name is not known: %v", err)
		}
		d.Name = host
	}
	field(t, "runtime_dir", &d.RuntimeDir, absolutePath, defaultRuntimeDir)
	field(t, "journal", &d.Journal, pathOrOff, defaultJournal(d.RuntimeDir))
	field(t, "reconcile_interval", &d.ReconcileInterval, duration(100*time.Millisecond, time.Hour), 10*time.Second)
	field(t, "max_check_programs", &d.MaxCheckPrograms, integer[int](1, 10000), 64)
	field(t, "max_checks", &d.MaxChecks, integer[int](1, 100_000), checker.DefaultLimit)
	field(t, "check_spread", &d.CheckSpread, duration(0, time.Hour), checker.DefaultSpread)
	t.sub("fast", d.Fast.visit)
	field(t, "watchdog", &d.Watchdog, optional(absolutePath), "")
	// Drivers count in seconds; few go beyond 255 (Documentation/watchdog).
	field(t, "watchdog_timeout", &d.WatchdogTimeout, wholeSeconds(duration(2*time.Second, time.Hour)), 30*time.Second)
	t.sub("log", func(t *table) {
		field(t, "level", &d.Log.Level, logLevel, slog.LevelInfo)
		field(t, "format", &d.Log.Format, logFormat, LogAuto)
	})
	t.sub("socket", d.Socket.visit)
	t.sub("dbus", d.DBus.visit)
	t.maybe("snmp", d.SNMP.AgentX != "", d.SNMP.visit)
	t.sub("script", func(t *table) {
		field(t, "user", &d.Script.User, anyAccount, "")
		field(t, "group", &d.Script.Group, anyAccount, "")
	})
}
