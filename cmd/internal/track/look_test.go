package track

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func script(t *testing.T, text string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return []string{"/bin/sh", path} // not exec'd itself: another test's fork could hold it open
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
	got := Script([]string{"/nowhere/script"}, nil)(t.Context())
	if got.Up || !strings.Contains(got.Reason, "no such file") {
		t.Errorf("%+v", got)
	}
}

// Everything that the script started is killed with it.
func TestScriptTimeout(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	got := Script(script(t, "trap '' TERM; sleep 60 & echo $! > "+pidFile+"; wait; wait"), []string{"PATH=/usr/bin:/bin"})(ctx)
	if got.Up || !strings.HasPrefix(got.Reason, "timed out after") {
		t.Errorf("%+v", got)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	b, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	// Somebody has to reap it; a dead process may be a zombie for a moment.
	deadline := time.Now().Add(10 * time.Second)
	for isProcess(fmt.Sprintf("/proc/%d", pid), "sleep") {
		if time.Now().After(deadline) {
			t.Fatal("the script's child lives on")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name, text string
		want       Reading
	}{
		{"zero", "0\n", Reading{Up: true}},
		{"number", " 12 \n", Reading{Number: 12, Reason: "PATH says 12"}},
		{"negative", "-3", Reading{Number: -3, Reason: "PATH says -3"}},
		{"empty", "", Reading{Up: true, Reason: "PATH is empty, which counts as 0"}},
		{"word", "five", Reading{Up: true, Reason: `PATH holds no number but "five", which counts as 0`}},
		{"endless", strings.Repeat("9", 1<<20), Reading{Up: true, Reason: `PATH holds no number but "` + strings.Repeat("9", 64) + `", which counts as 0`}},
	}
	for _, tt := range tests {
		path := filepath.Join(dir, tt.name)
		if err := os.WriteFile(path, []byte(tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		tt.want.Reason = strings.ReplaceAll(tt.want.Reason, "PATH", path)
		if got := File(path)(t.Context()); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
	path := filepath.Join(dir, "none")
	want := Reading{Up: true, Reason: path + " is missing, which counts as 0"}
	if got := File(path)(t.Context()); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCountProcesses(t *testing.T) {
	proc := t.TempDir()
	add := func(pid int, stat, cmdline string) {
		dir := filepath.Join(proc, strconv.Itoa(pid))
		err := errors.Join(os.Mkdir(dir, 0o755),
			os.WriteFile(filepath.Join(dir, "stat"), []byte(stat), 0o644),
			os.WriteFile(filepath.Join(dir, "cmdline"), []byte(cmdline), 0o644))
		if err != nil {
			t.Fatal(err)
		}
	}
	add(1, "1 (init) S 0 1", "/sbin/init\x00")
	add(2, "2 (named) S 1 2", "/usr/sbin/named\x00-f\x00")
	add(3, "3 (named) R 1 3", "named\x00")
	add(4, "4 (named) Z 1 4", "")
	add(5, "5 (a b) c) S 1 5", "x\x00")
	add(6, "6 (a-very-long-nam) S 1 6", "/opt/a-very-long-name\x00-x\x00")
	add(7, "7 (a-very-long-nam) S 1 7", "/opt/a-very-long-names\x00")
	add(8, "8 (", "")
	if err := os.Mkdir(filepath.Join(proc, "named"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"named": 2, "init": 1, "a b) c": 1, "a-very-long-name": 1, "nobody": 0, "name": 0} {
		if got, err := countProcesses(proc, name); got != want || err != nil {
			t.Errorf("%s: %d, %v; want %d", name, got, err, want)
		}
	}
	if _, err := countProcesses(filepath.Join(proc, "none"), "x"); err == nil {
		t.Error("no error without /proc")
	}
}

func TestProcess(t *testing.T) {
	self, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(os.Args[0])
	if len(name) <= commLen {
		name = strings.TrimSpace(string(self))
	}
	if got := Process(name, 1)(t.Context()); !got.Up {
		t.Errorf("%+v", got)
	}
	want := "only 1 of " + name + " are running, not 1000"
	if got := Process(name, 1000)(t.Context()); got.Up || got.Reason != want {
		t.Errorf("got %+v, want %s", got, want)
	}
	if got := Process("no such program", 1)(t.Context()); got.Up || got.Reason != "no such program is not running" {
		t.Errorf("%+v", got)
	}
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	changed := make(chan string, 100)
	w, err := NewWatch(func(path string) { changed <- path })
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	path, other := filepath.Join(dir, "load"), filepath.Join(dir, "other")
	if err := w.Set([]string{path, filepath.Join(dir, "none", "x")}); err == nil {
		t.Error("no error for a directory that is not there")
	}
	hears := func(want string) {
		t.Helper()
		select {
		case got := <-changed:
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("nothing was heard of %s", want)
		}
		for len(changed) > 0 {
			<-changed
		}
	}
	write := func(path string) {
		t.Helper()
		if err := os.WriteFile(path, []byte("1"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(other) // nobody's business: the next is what is heard
	write(path)
	hears(path)
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	hears(path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	hears(path)
	if err := w.Set([]string{other}); err != nil {
		t.Error(err)
	}
	for len(changed) > 0 {
		<-changed
	}
	write(path)
	write(other)
	hears(other)
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
	cut[12] = 200 // a name that is not there
	if got := parseEvents(cut); got != nil {
		t.Errorf("%v", got)
	}
}
