package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/event"
)

// A syncWriter hands what is written to it to the test.
type syncWriter chan string

func (w syncWriter) Write(p []byte) (int, error) {
	w <- string(p)
	return len(p), nil
}

func (w syncWriter) next(t *testing.T) string {
	t.Helper()
	select {
	case s := <-w:
		return s
	case <-time.After(10 * time.Second):
		t.Fatal("nothing is written")
		return ""
	}
}

// begin runs a command that goes on until end is called, which checks that all was well.
func begin(t *testing.T, args ...string) (out syncWriter, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, code := make(syncWriter), make(chan int)
	go func() { code <- run(ctx, args, nil, out, io.Discard) }()
	return out, func() {
		t.Helper()
		cancel()
		if got := <-code; got != exitWell {
			t.Errorf("exit code %d", got)
		}
	}
}

func TestEventsFollow(t *testing.T) {
	dir := t.TempDir()
	events := daemonAt(t, dir+"/s", &fakeDaemon{})
	out, end := begin(t, "events", "--follow", "--since", "1", "--socket", dir+"/s")
	if got := out.next(t); got != "2026-03-01T12:00:01.000Z server web/rs1 UP -> DOWN: connect: connection refused\n" {
		t.Errorf("first %s", got)
	}
	events.Append(event.Event{At: noon, Kind: event.KindRepair, Subject: "vrrp4-51"})
	if got := out.next(t); got != "2026-03-01T12:00:00.000Z repair vrrp4-51\n" {
		t.Errorf("second %s", got)
	}
	end()
}

// With --state the present states are the first lines, and the past is left out.
func TestEventsState(t *testing.T) {
	dir := t.TempDir()
	events := daemonAt(t, dir+"/s", &fakeDaemon{})
	out, end := begin(t, "events", "--follow", "--state", "--json", "--socket", dir+"/s")
	if got := out.next(t); got != `{"seq":0,"at":"2026-03-01T12:00:00Z","kind":"instance","subject":"outside","to":"MASTER","reason":"the state","snapshot":true}`+"\n" {
		t.Errorf("first %s", got)
	}
	events.Append(event.Event{At: noon, Kind: event.KindRepair, Subject: "vrrp4-51"})
	if got := out.next(t); got != `{"seq":3,"at":"2026-03-01T12:00:00Z","kind":"repair","subject":"vrrp4-51"}`+"\n" {
		t.Errorf("second %s", got)
	}
	end()
}

func TestStatusWatch(t *testing.T) {
	dir := t.TempDir()
	out, end := begin(t, "status", "vrrp", "--watch", "--socket", dir+"/s")
	if got := out.next(t); !strings.HasPrefix(got, "holdfast is not running: ") {
		t.Errorf("first %s", got)
	}
	daemonAt(t, dir+"/s", &fakeDaemon{status: wellStatus()})
	for {
		got := out.next(t)
		if strings.Contains(got, "outside  BACKUP") {
			break
		}
		if !strings.HasPrefix(got, "\nholdfast is not running: ") {
			t.Fatalf("then %s", got)
		}
	}
	end()
}
