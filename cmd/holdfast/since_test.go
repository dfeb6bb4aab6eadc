package main

import (
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/event"
)

func TestParseSince(t *testing.T) {
	zone := time.FixedZone("here", 3600)
	now := time.Date(2026, 3, 1, 12, 30, 0, 0, zone)
	at := func(hour, minute, second int) event.Position {
		return event.Position{Time: time.Date(2026, 3, 1, hour, minute, second, 0, zone)}
	}
	for text, want := range map[string]event.Position{
		"": {}, "7": {Seq: 7}, "0123456789ab:7": {Start: "0123456789ab", Seq: 7},
		"90s": at(12, 28, 30), "2h": at(10, 30, 0), "1d": {Time: now.Add(-24 * time.Hour)},
		"12:00": at(12, 0, 0), "12:00:05": at(12, 0, 5), "2026-03-01": at(0, 0, 0),
		"2026-03-01 11:00": at(11, 0, 0), "2026-03-01 11:00:01": at(11, 0, 1),
	} {
		got, err := parseSince(text, now)
		if err != nil || got.Seq != want.Seq || got.Start != want.Start || !got.Time.Equal(want.Time) {
			t.Errorf("%q is %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"soon", "-2h", "25:00", "2026-13-01"} {
		if got, err := parseSince(text, now); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

// Without a readable configuration the socket may be elsewhere: the error says so.
func TestNotRunningSaysWhichSocket(t *testing.T) {
	dir := t.TempDir()
	const doubt = "; the configuration cannot be read: DIR/none.toml: open DIR/none.toml: no such file or directory; if its runtime_dir is another, name the socket with --socket"
	for line, want := range map[string]bool{"status -c @none.toml": true, "status -c @none.toml --socket @gone": false} {
		code, _, stderr := call(t, dir, line)
		if code != exitFault || strings.Contains(stderr, doubt) != want {
			t.Errorf("%s: %d, %s", line, code, stderr)
		}
	}
}
