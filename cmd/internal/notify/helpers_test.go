package notify

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/program"
	"holdfast/integration/tools"
)

// testTimeout bounds every wait for something that must come.
const testTimeout = 10 * time.Second

// script writes an executable shell script into dir and returns its command.
func script(t *testing.T, dir, name, body string) Command {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return Command{Program: program.Program{Argv: []string{path}}}
}

// A gate is a named pipe by which a script and the test wait for each other.
type gate string

func newGate(t *testing.T, dir, name string) gate {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return gate(path)
}

// read waits until the script has written to the gate, and returns what.
func (g gate) read(t *testing.T) string {
	t.Helper()
	text := make(chan string, 1)
	go func() {
		b, _ := os.ReadFile(string(g))
		text <- strings.TrimSpace(string(b))
	}()
	return wait(t, text, "a script to write to "+filepath.Base(string(g)))
}

// open lets a script that reads from the gate go on.
func (g gate) open(t *testing.T) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- os.WriteFile(string(g), []byte("go\n"), 0) }()
	if err := wait(t, done, "a script to read from "+filepath.Base(string(g))); err != nil {
		t.Fatal(err)
	}
}

func wait[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(testTimeout):
		t.Fatalf("waited %v for %s", testTimeout, what)
		panic("unreachable")
	}
}

// A logBuffer collects log text.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type bench struct {
	*Notifier
	dir     string
	log     *logBuffer
	results chan Result
}

func newBench(t *testing.T, change func(*Options)) *bench {
	t.Helper()
	b := &bench{dir: tools.Dir(t), log: &logBuffer{}, results: make(chan Result, 100)}
	o := Options{
		Director: "lvs1",
		Log:      slog.New(slog.NewTextHandler(b.log, nil)),
		Result:   func(r Result) { b.results <- r },
	}
	if change != nil {
		change(&o)
	}
	b.Notifier = New(o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		defer cancel()
		if err := b.Close(ctx); err != nil && err != ErrClosed {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

func (b *bench) result(t *testing.T) Result {
	t.Helper()
	return wait(t, b.results, "a script to end")
}

func (b *bench) send(t *testing.T, state string, commands ...Command) {
	t.Helper()
	b.sendTo(t, "outside", state, commands...)
}

func (b *bench) sendTo(t *testing.T, name, state string, commands ...Command) {
	t.Helper()
	if err := b.Send(stateEvent(name, state), commands...); err != nil {
		t.Fatal(err)
	}
}

// stateEvent is the event by which an instance's scripts are called with a state or
// moment.
func stateEvent(name, state string) event.Event {
	e := event.Event{Kind: event.KindInstance, Subject: name, To: state, Instance: &event.Instance{State: state, Priority: 150}}
	switch state {
	case Rival:
		e.Kind, e.To, e.Instance.State = event.KindRival, event.RivalSeen, event.Master
	case RivalGone:
		e.Kind, e.To, e.Instance.State = event.KindRival, event.RivalGone, event.Master
	case Priority:
		e.Kind, e.To, e.Instance.State = event.KindPriority, "150", event.Master
	}
	return e
}

// A fakeClock hands every timer that is asked for to the test.
type fakeClock struct{ timers chan timer }

type timer struct {
	after time.Duration
	fire  chan time.Time
}

func newFakeClock() *fakeClock { return &fakeClock{timers: make(chan timer, 100)} }

func (c *fakeClock) after(d time.Duration) <-chan time.Time {
	t := timer{d, make(chan time.Time, 1)}
	c.timers <- t
	return t.fire
}

// expire fires the next timer of the duration d.
func (c *fakeClock) expire(t *testing.T, d time.Duration) {
	t.Helper()
	for {
		if next := wait(t, c.timers, "a timer of "+d.String()); next.after == d {
			next.fire <- time.Time{}
			return
		}
	}
}

// watchExit returns a channel that is closed when the process has ended,
// reaped or not.
func watchExit(t *testing.T, pid int) <-chan struct{} {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatalf("pidfd of %d: %v", pid, err)
	}
	ended := make(chan struct{})
	go func() {
		defer unix.Close(fd)
		for {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(2*testTimeout/time.Millisecond))
			if err == unix.EINTR {
				continue
			}
			if n == 1 {
				close(ended)
			}
			return
		}
	}()
	return ended
}
