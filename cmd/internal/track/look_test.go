package track

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/program"
)

func script(t *testing.T, text string) program.Program {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return program.Program{Argv: []string{"/bin/sh", path}} // not exec'd itself: another test's fork could hold it open
}

func TestScript(t *testing.T) {
	tests := []struct {
		name, text string
		want       Reading
	}{
		{"well", "exit 0", Reading{Up: true}},
		{"status", "exit 3", Reading{Reason: "exit status 3"}},
		{"output", "echo first; printf '\\033no\\tanswer\\n\\n' >&2; exit 1", Reading{Reason: "exit status 1: no answer"}},
		{"environment", `echo "$WHO at $PWD"; exit 1`, Reading{Reason: "exit status 1: me at /"}},
		{"long output", "i=0; while [ $i -lt 300 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done; echo end; exit 1", Reading{Reason: "exit status 1: end"}},
		{"signal", "kill -KILL $$", Reading{Reason: "signal: killed"}},
		{"leaves something running", "sleep 60 & echo $! > $OUT", Reading{Up: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			got := Script(script(t, tt.text), []string{"PATH=/usr/bin:/bin", "WHO=me", "OUT=" + out})(t.Context())
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if b, err := os.ReadFile(out); err == nil {
				pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		})
	}
}

func TestScriptMissing(t *testing.T) {
	got := Script(program.Program{Argv: []string{"/nowhere/script"}}, nil)(t.Context())
	if got.Up || !strings.Contains(got.Reason, "does not exist") {
		t.Errorf("%+v", got)
	}
}

// An expiry is a context whose deadline passes when over is closed.
type expiry struct {
	context.Context
	over chan struct{}
}

func (e expiry) Done() <-chan struct{} { return e.over }

func (e expiry) Err() error {
	select {
	case <-e.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// At the timeout, every process that the script started is killed with it.
func TestScriptTimeout(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pid")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx := expiry{t.Context(), make(chan struct{})}
	child := make(chan int, 1) // a pidfd of the script's child, or -1
	go func() {
		defer close(ctx.over)
		b, _ := os.ReadFile(pipe) // when the script has written
		pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
		fd, _ := unix.PidfdOpen(pid, 0)
		child <- fd
	}()
	start := time.Now()
	got := Script(script(t, "trap '' TERM; sleep 60 & echo $! > "+pipe+"; wait; wait"), []string{"PATH=/usr/bin:/bin"})(ctx)
	if got.Up || !got.Void || !got.TimedOut || !strings.HasPrefix(got.Reason, "timed out after") {
		t.Errorf("%+v", got)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	fd := <-child
	if fd < 0 {
		t.Fatal("there is no process of the script's child")
	}
	defer unix.Close(fd)
	for end := time.Now().Add(10 * time.Second); ; {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(max(0, time.Until(end)).Milliseconds()))
		if n == 1 {
			return
		}
		if !errors.Is(err, unix.EINTR) {
			t.Fatalf("the script's child lives on (%v)", err)
		}
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name, text string
		want       Reading
	}{
		{"zero", "0\n", Reading{Up: true}},
		{"number", " 12 \n", Reading{Number: 12, Reason: "PATH contains 12"}},
		{"negative", "-3", Reading{Number: -3, Reason: "PATH contains -3"}},
		{"empty", "", Reading{Up: true, Reason: "PATH is empty, which counts as 0"}},
		{"word", "five", Reading{Up: true, Reason: `PATH contains "five" instead of a number, which counts as 0`}},
		{"endless", strings.Repeat("9", 1<<20), Reading{Up: true, Reason: `PATH contains "` + strings.Repeat("9", 64) + `" instead of a number, which counts as 0`}},
	}
	for _, tt := range tests {
		path := filepath.Join(dir, tt.name)
		if err := os.WriteFile(path, []byte(tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		tt.want.Reason = strings.ReplaceAll(tt.want.Reason, "PATH", path)
		if got := File(path, 0)(t.Context()); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
	path := filepath.Join(dir, "none")
	want := Reading{Up: true, Reason: path + " is missing, which counts as 0"}
	if got := File(path, 0)(t.Context()); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	want = Reading{Number: 7, Reason: path + " is missing, which counts as 7"}
	if got := File(path, 7)(t.Context()); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Reading a named pipe in place of a file does not block.
func TestFileIsNoPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan Reading, 1)
	go func() { read <- File(path, 3)(t.Context()) }()
	select {
	case got := <-read:
		if want := (Reading{Number: 3, Reason: path + " is not a regular file, which counts as 3"}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the look blocks")
	}
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	changed := make(chan string, 100)
	w := NewWatch(func(path string) { changed <- path })
	defer w.Close()
	path, other := filepath.Join(dir, "load"), filepath.Join(dir, "other")
	marks := []string{filepath.Join(dir, "mark1"), filepath.Join(dir, "mark2"), filepath.Join(dir, "mark3"), filepath.Join(dir, "mark4")}
	none := filepath.Join(dir, "none", "x")
	w.Set(append([]string{path, none}, marks...))
	if err := w.Err(none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file in a directory that does not exist: %v", err)
	}
	if err := w.Err(path); err != nil {
		t.Error(err)
	}
	// reported makes a mark and returns the paths that were reported before it.
	reported := func(mark string) map[string]bool {
		t.Helper()
		if err := os.Mkdir(mark, 0o755); err != nil {
			t.Fatal(err)
		}
		all := map[string]bool{}
		for {
			select {
			case got := <-changed:
				if got == mark {
					return all
				}
				all[got] = true
			case <-time.After(10 * time.Second):
				t.Fatalf("%s was not reported", mark)
			}
		}
	}
	write := func(path string) {
		t.Helper()
		if err := os.WriteFile(path, []byte("1"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(other) // not watched
	write(path)
	if got := reported(marks[0]); !got[path] || len(got) != 1 {
		t.Errorf("written: reported %v", got)
	}
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if got := reported(marks[1]); !got[path] || len(got) != 1 {
		t.Errorf("replaced: reported %v", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := reported(marks[2]); !got[path] || len(got) != 1 {
		t.Errorf("removed: reported %v", got)
	}
	w.Set([]string{other, marks[3]})
	write(path)
	write(other)
	if got := reported(marks[3]); !got[other] || len(got) != 1 {
		t.Errorf("another is watched: reported %v", got)
	}
}

// A file that is rewritten in place is reported when its writer closes it. Before,
// it may be empty.
func TestWatchReportsARewriteWhenItIsClosed(t *testing.T) {
	dir := t.TempDir()
	path, mark := filepath.Join(dir, "load"), filepath.Join(dir, "mark")
	if err := os.WriteFile(path, []byte("5\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	changed := make(chan string, 100)
	w := NewWatch(func(path string) { changed <- path })
	defer w.Close()
	w.Set([]string{path, mark})
	next := func(want string) {
		t.Helper()
		select {
		case got := <-changed:
			if got != want {
				t.Errorf("%s was reported, want %s", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s was not reported", want)
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString("6\n")
	if err := errors.Join(err, os.Mkdir(mark, 0o755)); err != nil {
		t.Fatal(err)
	}
	next(mark)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	next(path)
}

// A directory that is removed or renamed, or that does not exist at first, is
// watched from the next look on after it exists.
func TestWatchRetries(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	path := filepath.Join(dir, "load")
	changed := make(chan string, 100)
	w := NewWatch(func(path string) { changed <- path })
	defer w.Close()
	w.Set([]string{path})
	look := w.Look(path, 0)
	write := func() {
		t.Helper()
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		look(t.Context())
		if err := w.Err(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("1"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	reported := func() {
		t.Helper()
		select {
		case <-changed:
		case <-time.After(10 * time.Second):
			t.Fatal("nothing was reported")
		}
	}
	gone := func() {
		t.Helper()
		for w.Err(path) == nil {
			reported()
		}
		for len(changed) > 0 {
			<-changed
		}
		look(t.Context())
		if err := w.Err(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without the directory: %v", err)
		}
	}
	gone() // it has not existed yet
	write()
	reported()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	gone()
	write()
	reported()
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	gone()
	write()
	reported()
}

// Every file is reported after the kernel's queue has overflowed.
func TestWatchLost(t *testing.T) {
	lost := make([]byte, unix.SizeofInotifyEvent)
	binary.NativeEndian.PutUint32(lost[4:], unix.IN_Q_OVERFLOW)
	w := &Watch{want: map[string]bool{"/run/a": true, "/run/b": true}}
	got := w.changes(lost)
	slices.Sort(got)
	if !slices.Equal(got, []string{"/run/a", "/run/b"}) {
		t.Errorf("reported: %v", got)
	}
}

func TestParseEvents(t *testing.T) {
	if got := parseEvents([]byte{1, 2, 3}); got != nil {
		t.Errorf("%v", got)
	}
	lost := make([]byte, unix.SizeofInotifyEvent)
	lost[5] = unix.IN_Q_OVERFLOW >> 8
	if got := parseEvents(slices.Concat(lost, []byte{1})); len(got) != 1 || !got[0].lost {
		t.Errorf("%v", got)
	}
	cut := make([]byte, unix.SizeofInotifyEvent)
	cut[12] = 200 // the length of a name that is missing
	if got := parseEvents(cut); got != nil {
		t.Errorf("%v", got)
	}
}
