package track

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/integration/tools"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// process writes a process into a folder like /proc.
func process(t *testing.T, proc string, pid int, stat, cmdline string) {
	t.Helper()
	dir := filepath.Join(proc, strconv.Itoa(pid))
	err := errors.Join(os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "stat"), []byte(stat), 0o644),
		os.WriteFile(filepath.Join(dir, "cmdline"), []byte(cmdline), 0o644))
	if err != nil {
		t.Fatal(err)
	}
}

func TestFindProcesses(t *testing.T) {
	proc := t.TempDir()
	process(t, proc, 1, "1 (init) S 0 1", "/sbin/init\x00")
	process(t, proc, 2, "2 (named) S 1 2", "/usr/sbin/named\x00-f\x00")
	process(t, proc, 3, "3 (named) R 1 3", "named\x00")
	process(t, proc, 4, "4 (named) Z 1 4", "")
	process(t, proc, 5, "5 (a b) c) S 1 5", "x\x00")
	process(t, proc, 6, "6 (a-very-long-nam) S 1 6", "/opt/a-very-long-name\x00-x\x00")
	process(t, proc, 7, "7 (a-very-long-nam) S 1 7", "/opt/a-very-long-names\x00")
	process(t, proc, 8, "8 (", "")
	process(t, proc, 9, "9 (named) S 1 9", "/usr/sbin/named\x00-f\x00-c\x00/etc/named.conf\x00")
	process(t, proc, 10, "10 (kthread) S 1 10", "")
	if err := os.Mkdir(filepath.Join(proc, "named"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		what Process
		want []int
	}{
		{Process{Name: "named"}, []int{2, 3, 9}},
		{Process{Name: "init"}, []int{1}},
		{Process{Name: "a b) c"}, []int{5}},
		{Process{Name: "a-very-long-name"}, []int{6}},
		{Process{Name: "nobody"}, nil},
		{Process{Name: "name"}, nil},
		{Process{Name: "kthread"}, []int{10}},
		{Process{Name: "/usr/sbin/named"}, []int{2, 9}},
		{Process{Name: "/sbin/named"}, nil},
		{Process{Name: "named", Parameters: []string{"-f"}}, []int{2}},
		{Process{Name: "named", Parameters: []string{"-f"}, Initial: true}, []int{2, 9}},
		{Process{Name: "/usr/sbin/named", Parameters: []string{"-f", "-c", "/etc/named.conf"}}, []int{9}},
		{Process{Name: "named", Parameters: []string{"-f", "-c", "/etc/"}}, nil},
		{Process{Name: "named", Parameters: []string{"-f", "-c", "/etc/"}, Initial: true}, nil},
		{Process{Name: "named", Parameters: []string{"-f", "-c", "/etc/"}, Partial: true}, []int{9}},
		{Process{Name: "named", Parameters: []string{"-g"}, Partial: true}, nil},
		{Process{Name: "kthread", Parameters: []string{"x"}}, nil},
	} {
		got, err := tt.what.find(proc)
		if diff := cmp.Diff(tt.want, slices.Sorted(maps.Keys(got))); diff != "" || err != nil {
			t.Errorf("%+v: %v (-want +got):\n%s", tt.what, err, diff)
		}
	}
	missing := Process{Name: "x", Min: 1}
	if _, r := missing.look(filepath.Join(proc, "none")); r.Up || !r.Void {
		t.Errorf("without /proc: %+v", r)
	}
}

func TestProcessQuorum(t *testing.T) {
	proc := t.TempDir()
	for pid := 1; pid <= 3; pid++ {
		process(t, proc, pid, strconv.Itoa(pid)+" (bird) S 1 1", "bird\x00-d\x00")
	}
	for _, tt := range []struct {
		what Process
		want Reading
	}{
		{Process{Name: "bird", Min: 1}, Reading{Up: true}},
		{Process{Name: "bird", Min: 3, Max: 3}, Reading{Up: true}},
		{Process{Name: "bird", Min: 4}, Reading{Reason: "only 3 of bird are running, not 4"}},
		{Process{Name: "bird", Min: 1, Max: 2}, Reading{Reason: "3 of bird are running, more than 2"}},
		{Process{Name: "bird", Parameters: []string{"-x"}, Min: 1}, Reading{Reason: "bird -x is not running"}},
	} {
		if _, got := tt.what.look(proc); got != tt.want {
			t.Errorf("%+v: got %+v, want %+v", tt.what, got, tt.want)
		}
	}
}

// What the kernel tells concerns a tracker if it changes which of its processes
// there are.
func TestKnownProcesses(t *testing.T) {
	proc := t.TempDir()
	process(t, proc, 1, "1 (bird) S 0 1", "bird\x00")
	process(t, proc, 2, "2 (other) S 0 1", "other\x00")
	var k knownProcesses
	bird, other := Process{Name: "bird"}, Process{Name: "other"}
	k.set(map[string]Process{"b": bird, "o": other})
	hear := func(what string, lost bool, want []string, events ...procEvent) {
		t.Helper()
		got := k.hear(events, lost, proc)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	look := func(tracker string, p Process) bool {
		k.begin()
		pids, _ := p.look(proc)
		return k.end(tracker, pids)
	}
	hear("before the first look", false, []string{"b"}, procEvent{kind: procChanged, pid: 1})
	if look("b", bird) || look("o", other) || look("nobody", other) {
		t.Error("a look is out of date though nothing happened")
	}
	hear("nothing new", false, nil, procEvent{kind: procChanged, pid: 1}, procEvent{kind: procChanged, pid: 2})
	hear("a stranger", false, nil, procEvent{kind: procForked, pid: 9, parent: 8}, procEvent{kind: procExited, pid: 9})
	hear("a child", false, []string{"o"}, procEvent{kind: procForked, pid: 3, parent: 2})
	process(t, proc, 2, "2 (bird) S 0 1", "bird\x00")
	hear("another name", false, []string{"b", "o"}, procEvent{kind: procChanged, pid: 2})
	hear("the end", false, []string{"b"}, procEvent{kind: procExited, pid: 1})
	hear("a short life", false, nil, procEvent{kind: procForked, pid: 9, parent: 8}, procEvent{kind: procChanged, pid: 9}, procEvent{kind: procExited, pid: 9})
	hear("lost", true, []string{"b", "o"})
	k.begin()
	pids, _ := bird.look(proc)
	hear("the end of one that a look has seen", false, []string{"b"}, procEvent{kind: procExited, pid: 1})
	if !k.end("b", pids) {
		t.Error("what a look found counts though it ended meanwhile")
	}
	k.set(map[string]Process{"b": bird})
	hear("a tracker that stays", false, []string{"b"}, procEvent{kind: procExited, pid: 1})
	k.set(map[string]Process{"b": other})
	hear("a tracker that changed", false, nil, procEvent{kind: procExited, pid: 1})
}

// A program that forks all the time does not have all processes looked at all the
// time.
func TestNewsOfProcessesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Int32
		p := NewProcesses(slog.New(slog.DiscardHandler), func(string) { told.Add(1) })
		p.proc = t.TempDir()
		p.known.set(map[string]Process{"b": {Name: "bird"}})
		p.known.end("b", map[int]bool{7: true})
		news := func(want int32) {
			t.Helper()
			p.hear([]procEvent{{kind: procForked, pid: 8, parent: 7}}, false)
			synctest.Wait()
			if told.Load() != want {
				t.Errorf("told %d times, want %d", told.Load(), want)
			}
		}
		news(1)
		p.known.rest("b", 10*time.Millisecond)
		news(1)
		news(1)
		time.Sleep(lookShare * 10 * time.Millisecond)
		synctest.Wait()
		if told.Load() != 2 {
			t.Errorf("told %d times after the rest, want 2", told.Load())
		}
		news(3)
	})
}

// The kernel tells of a process that begins and ends; it is not looked for in
// between.
func TestProcessesTold(t *testing.T) {
	program := filepath.Join(t.TempDir(), "hf-tracked")
	if err := os.Symlink("/bin/sleep", program); err != nil {
		t.Fatal(err)
	}
	changed := make(chan string, 100)
	p := NewProcesses(slog.New(slog.DiscardHandler), func(tracker string) { changed <- tracker })
	defer p.Close()
	what := Process{Name: "hf-tracked", Parameters: []string{"3600"}, Min: 1}
	p.Set(map[string]Process{"sleep": what})
	for asked := true; asked; {
		select {
		case <-changed: // the kernel tells from now on
			asked = false
		case <-time.After(10 * time.Millisecond):
			if err := p.Untold(); err != nil {
				tools.Without(t, "netns", err)
			}
		}
	}
	look := p.Look("sleep", what)
	if r := look(t.Context()); r.Up || r.Reason != "hf-tracked 3600 is not running" {
		t.Errorf("%+v", r)
	}
	cmd := exec.Command(program, "3600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	becomes := func(up bool) {
		t.Helper()
		deadline := time.After(10 * time.Second)
		for {
			select {
			case <-changed:
				if look(t.Context()).Up == up {
					return
				}
			case <-deadline:
				t.Fatalf("nothing was told; up is %v", look(t.Context()).Up)
			}
		}
	}
	becomes(true)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	becomes(false) // though nobody has reaped it
	_ = cmd.Wait()
	p.Set(nil)
	if err := p.Untold(); err != nil {
		t.Error(err)
	}
}

// message is a message of the process connector.
func message(kind uint32, words ...uint32) []byte {
	b := make([]byte, unix.SizeofNlMsghdr+cnHeaderLen+procHeaderLen)
	binary.NativeEndian.PutUint32(b[unix.SizeofNlMsghdr+cnHeaderLen:], kind)
	for _, w := range words {
		b = binary.NativeEndian.AppendUint32(b, w)
	}
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	return b
}

func TestParseProc(t *testing.T) {
	one := slices.Concat(
		message(0, 0), message(0, 13),
		message(procForkKind, 10, 9, 20, 20), message(procForkKind, 10, 9, 21, 20), // the second is a thread
		message(procExecKind, 20, 20), message(procExecKind, 22, 20), message(procCommKind, 20, 20, 0, 0),
		message(0x10, 1, 1), message(procExitKind, 21, 20), message(procExitKind, 20, 20, 0, 0))
	want := []procEvent{
		{procAcknowledged, 0, 0},
		{procAcknowledged, 13, 0},
		{procForked, 20, 9},
		{procChanged, 20, 0}, {procChanged, 20, 0},
		{procExited, 20, 0},
	}
	if diff := cmp.Diff(want, parseProc(one), cmp.AllowUnexported(procEvent{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for n := range len(message(procExitKind, 20, 20)) {
		for _, e := range parseProc(message(procExitKind, 20, 20)[:n]) {
			t.Errorf("%d bytes: %+v", n, e)
		}
	}
	if got := parseProc([]byte(strings.Repeat("\x00", 64))); got != nil {
		t.Errorf("%v", got)
	}
}
