package notify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/program"
	"holdfast/integration/tools"
)

func TestLine(t *testing.T) {
	instance := func(kind, from, to, state string, priority int) event.Event {
		return event.Event{Kind: kind, Subject: "a", From: from, To: to, Instance: &event.Instance{State: state, Priority: priority}}
	}
	service := func(kind, to string, s event.Service) event.Event {
		return event.Event{Kind: kind, To: to, Service: &s}
	}
	web := event.Service{Name: "web", Address: "10.0.0.100:80", Protocol: "tcp", ServerAddress: "192.168.0.11:8080"}
	six := event.Service{Address: "[2001:db8::1]:443", Protocol: "udp", ServerAddress: "[2001:db8::2]:443"}
	mark := event.Service{Mark: 7, ServerAddress: "192.168.0.11:80"}
	ports := event.Service{Name: "ports", Address: "10.0.0.100:80,443", Protocol: "tcp"}
	for _, test := range []struct {
		want  string
		event event.Event
	}{
		{`INSTANCE "out side" MASTER 150`, event.Event{Kind: event.KindInstance, Subject: "out side", To: "MASTER", Instance: &event.Instance{Priority: 150}}},
		{`GROUP "director" BACKUP 0`, event.Event{Kind: event.KindGroup, Subject: "director", To: "BACKUP", Group: &event.Group{}}},
		{`INSTANCE "a" STOP 100`, instance(event.KindInstance, "BACKUP", "INIT", "INIT", 100)},
		{`INSTANCE "a" DELETED 0`, instance(event.KindInstance, "STOP", event.Deleted, "INIT", 0)},
		{`INSTANCE "a" MASTER_RX_LOWER_PRI 100`, instance(event.KindRival, "", event.RivalSeen, "MASTER", 100)},
		{`INSTANCE "a" MASTER 100`, instance(event.KindRival, "", event.RivalGone, "MASTER", 100)},
		{"", instance(event.KindRival, "", event.RivalGone, "BACKUP", 100)}, // its transition tells
		{`INSTANCE "a" MASTER_PRIORITY 90`, instance(event.KindPriority, "100", "90", "MASTER", 90)},
		{`INSTANCE "a" BACKUP_PRIORITY 90`, instance(event.KindPriority, "100", "90", "BACKUP", 90)},
		{"", instance(event.KindPriority, "100", "90", "FAULT", 90)},
		{`VS [10.0.0.100]:tcp:80 UP`, service(event.KindService, "UP", web)},
		{`RS [192.168.0.11]:tcp:8080 [10.0.0.100]:tcp:80 DOWN`, service(event.KindServer, "DOWN", web)},
		{`RS [2001:db8::2]:udp:443 [2001:db8::1]:udp:443 UP`, service(event.KindServer, "UP", six)},
		{`VS [ports]:0 UP`, service(event.KindService, "UP", ports)},
		{`VS FWM 7 DOWN`, service(event.KindService, "DOWN", mark)},
		{`RS [192.168.0.11]:none:80 FWM 7 UP`, service(event.KindServer, "UP", mark)},
		{"", event.Event{Kind: event.KindInstance, Subject: "gone", To: "MASTER"}},
		{"", event.Event{Kind: event.KindTracker, Subject: "t", To: "up"}},
	} {
		if got := Line(&test.event); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

func newFIFO(t *testing.T, change func(*FIFOOptions)) *FIFO {
	t.Helper()
	o := FIFOOptions{Path: filepath.Join(tools.Dir(t), "fifo"), Director: "lvs1", Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	f := NewFIFO(o)
	t.Cleanup(f.Close)
	return f
}

// deliver writes an event for each name, which its line has; "" is one without.
func deliver(t *testing.T, f *FIFO, lines ...string) {
	t.Helper()
	var events []event.Event
	for _, name := range lines {
		e := event.Event{Kind: event.KindGroup, Subject: name, To: event.Master}
		if name != "" { // else one that keepalived has no line for
			e.Group = &event.Group{}
		}
		events = append(events, e)
	}
	if n, err := f.Deliver(t.Context(), events); n != len(lines) || err != nil {
		t.Fatalf("delivered %d of %d: %v", n, len(lines), err)
	}
}

// read reads a line from the pipe as another process would.
func openPipe(t *testing.T, path string) *bufio.Reader {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if err := file.SetReadDeadline(time.Now().Add(testTimeout)); err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(file)
}

func wantLine(t *testing.T, r *bufio.Reader, name string) {
	t.Helper()
	wantText(t, r, fmt.Sprintf("GROUP %q MASTER 0", name))
}

func wantText(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	if got, err := r.ReadString('\n'); err != nil || got != want+"\n" {
		t.Fatalf("read %q (%v), want %s", got, err, want)
	}
}

// What is written before anybody reads is not lost, and a pipe that is there is
// used as it is.
func TestFIFOHoldsLinesForItsReader(t *testing.T) {
	f := newFIFO(t, nil)
	deliver(t, f)
	info, err := os.Lstat(f.o.Path)
	if err != nil || info.Mode() != os.ModeNamedPipe|0o600 {
		t.Fatalf("the pipe is %v (%v)", info.Mode(), err)
	}
	if err := os.Chmod(f.o.Path, 0o640); err != nil {
		t.Fatal(err)
	}
	deliver(t, f, "one", "", "two")
	r := openPipe(t, f.o.Path)
	wantLine(t, r, "one")
	wantLine(t, r, "two")
	f.Close()

	again := newFIFO(t, func(o *FIFOOptions) { *o = f.o; o.JSON = true })
	deliver(t, again, "three")
	wantText(t, r, `{"seq":0,"at":"0001-01-01T00:00:00Z","kind":"group","subject":"three","to":"MASTER"}`)
	if now, err := os.Lstat(f.o.Path); err != nil || !os.SameFile(info, now) || now.Mode().Perm() != 0o640 {
		t.Errorf("the pipe is another one, or was changed (%v)", err)
	}
}

func TestFIFOIsMadeAnewWhenItWasRemoved(t *testing.T) {
	f := newFIFO(t, nil)
	deliver(t, f, "lost")
	if err := os.Remove(f.o.Path); err != nil {
		t.Fatal(err)
	}
	deliver(t, f, "found")
	wantLine(t, openPipe(t, f.o.Path), "found")
}

func TestFIFOBelongsToWhomItIsGiven(t *testing.T) {
	tools.Root(t, "give files away")
	f := newFIFO(t, func(o *FIFOOptions) { o.User, o.Group = "nobody", "1" })
	deliver(t, f)
	info, err := os.Lstat(f.o.Path)
	if err != nil {
		t.Fatal(err)
	}
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid != 65534 || stat.Gid != 1 || info.Mode().Perm() != 0o600 {
		t.Errorf("it belongs to %d:%d with mode %v", stat.Uid, stat.Gid, info.Mode())
	}
}

func TestFIFORefusesWhatIsNoPipe(t *testing.T) {
	f := newFIFO(t, nil)
	if err := os.WriteFile(f.o.Path, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Deliver(t.Context(), []event.Event{stateEvent("x", event.Master)}); n != 0 || err == nil || !strings.HasSuffix(err.Error(), "is not a pipe") {
		t.Errorf("delivered %d: %v", n, err)
	}
	if text, err := os.ReadFile(f.o.Path); err != nil || string(text) != "data" {
		t.Errorf("the file now holds %q (%v)", text, err)
	}
}

// A pipe that stays full is an error after a while. Every line is written once and
// whole, and a wait for the pipe can be interrupted.
func TestFIFOFull(t *testing.T) {
	f := newFIFO(t, func(o *FIFOOptions) { o.JSON = true })
	long := strings.Repeat("x", 10_000) // does not go in at once
	var events []event.Event
	for i := range 20 {
		events = append(events, event.Event{Seq: uint64(i), Reason: long})
	}
	n, err := f.Deliver(t.Context(), events)
	if !errors.Is(err, errFull) || n < 5 || n > 8 {
		t.Fatalf("delivered %d: %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if more, err := f.Deliver(ctx, events[n:]); more != 0 || !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: delivered %d: %v", more, err)
	}
	r := openPipe(t, f.o.Path)
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		for left := events[n:]; len(left) > 0; {
			done, err := f.Deliver(t.Context(), left)
			if left = left[done:]; err != nil && !errors.Is(err, errFull) {
				failed <- err
				return
			}
		}
	}()
	for i := range events {
		line, err := events[i].JSON()
		if err != nil {
			t.Fatal(err)
		}
		wantText(t, r, string(line))
	}
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

// The reader gets the lines, is started again when it ends, and ends with the pipe.
func TestFIFOReader(t *testing.T) {
	dir := tools.Dir(t)
	got := newGate(t, dir, "got")
	reader := script(t, dir, "reader", fmt.Sprintf(`while read line; do echo "$HOLDFAST_DIRECTOR $# $line" >%s; case $line in *die*) exit 3 ;; esac; done <"$2"; echo end >%s`, got, got))
	reader.Argv = append(reader.Argv, "word")
	buffer, restarted := &logBuffer{}, make(chan struct{}, 10)
	f := newFIFO(t, func(o *FIFOOptions) {
		o.Restarted = func() { restarted <- struct{}{} }
		o.Reader = &program.Program{Argv: reader.Argv}
		o.Log = slog.New(slog.NewTextHandler(buffer, nil))
	})
	deliver(t, f, "one")
	if text := got.read(t); text != `lvs1 2 GROUP "one" MASTER 0` {
		t.Errorf("the reader got %q", text)
	}
	if len(restarted) > 0 {
		t.Error("the first start counts as another")
	}
	deliver(t, f, "die")
	got.read(t)
	wait(t, restarted, "the reader to be started again")
	deliver(t, f, "two")
	if text := got.read(t); text != `lvs1 2 GROUP "two" MASTER 0` {
		t.Errorf("the second reader got %q", text)
	}
	if !strings.Contains(buffer.String(), `err="exit status 3"`) {
		t.Errorf("the log does not say that the reader died:\n%s", buffer)
	}
	closed := make(chan struct{})
	go func() { f.Close(); close(closed) }()
	if text := got.read(t); text != "end" {
		t.Errorf("in the end the reader got %q", text)
	}
	wait(t, closed, "the pipe to be closed")
}

// A reader that does not end by itself is killed, with what it started.
func TestFIFOReaderIsKilled(t *testing.T) {
	dir := tools.Dir(t)
	command, begun := family(t, dir, "trap '' TERM")
	f := newFIFO(t, func(o *FIFOOptions) { o.Reader = &command.Program })
	deliver(t, f)
	var ended []<-chan struct{}
	for _, pid := range pids(t, begun.read(t)) {
		ended = append(ended, watchExit(t, pid))
	}
	f.Close()
	for _, e := range ended {
		wait(t, e, "the processes of the reader to be dead")
	}
}
