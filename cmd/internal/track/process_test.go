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

// process writes a process into a directory like /proc.
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
		table, err := readProcesses(proc)
		if err != nil {
			t.Fatal(err)
		}
		got := table.find(&tt.what)
		if diff := cmp.Diff(tt.want, slices.Sorted(maps.Keys(got))); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.what, diff)
		}
	}
	p := NewProcesses(slog.New(slog.DiscardHandler), func(string) {})
	p.proc = filepath.Join(proc, "none")
	if r := p.Look("x", Process{Name: "x", Min: 1})(t.Context()); r.Up || !r.Void {
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
		{Process{Name: "bird", Min: 4}, Reading{Reason: `3 processes "bird" are running, at least 4 should be`}},
		{Process{Name: "bird", Min: 1, Max: 2}, Reading{Reason: `3 processes "bird" are running, at most 2 should be`}},
		{Process{Name: "bird", Parameters: []string{"-x"}, Min: 1}, Reading{Reason: `no process "bird -x" is running`}},
	} {
		p := NewProcesses(slog.New(slog.DiscardHandler), func(string) {})
		p.proc = proc
		if got := p.Look("bird", tt.what)(t.Context()); got != tt.want {
			t.Errorf("%+v: got %+v, want %+v", tt.what, got, tt.want)
		}
	}
}

// An event concerns a tracker if it may change the set of its processes.
func TestKnownProcesses(t *testing.T) {
	proc := t.TempDir()
	process(t, proc, 1, "1 (bird) S 0 1", "bird\x00")
	process(t, proc, 2, "2 (other) S 0 1", "other\x00")
	var k knownProcesses
	bird, other := Process{Name: "bird"}, Process{Name: "other"}
	k.set(map[string]Process{"b": bird, "o": other})
	concerns := func(what string, lost bool, want []string, events ...procEvent) {
		t.Helper()
		got := k.concernedBy(events, lost, proc)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	find := func(p Process) map[int]bool {
		table, err := readProcesses(proc)
		if err != nil {
			t.Fatal(err)
		}
		return table.find(&p)
	}
	look := func(tracker string, p Process) bool {
		k.beginLook()
		return k.endLook(tracker, find(p))
	}
	concerns("before the first look", false, []string{"b"}, procEvent{kind: procChanged, pid: 1})
	if look("b", bird) || look("o", other) || look("nobody", other) {
		t.Error("a look is out of date though nothing happened")
	}
	concerns("nothing new", false, nil, procEvent{kind: procChanged, pid: 1}, procEvent{kind: procChanged, pid: 2})
	concerns("a stranger", false, nil, procEvent{kind: procForked, pid: 9, parent: 8}, procEvent{kind: procExited, pid: 9})
	concerns("a child", false, []string{"o"}, procEvent{kind: procForked, pid: 3, parent: 2})
	process(t, proc, 2, "2 (bird) S 0 1", "bird\x00")
	concerns("another name", false, []string{"b", "o"}, procEvent{kind: procChanged, pid: 2})
	concerns("the end", false, []string{"b"}, procEvent{kind: procExited, pid: 1})
	concerns("a short life", false, nil, procEvent{kind: procForked, pid: 9, parent: 8}, procEvent{kind: procChanged, pid: 9}, procEvent{kind: procExited, pid: 9})
	concerns("lost", true, []string{"b", "o"})
	k.beginLook()
	pids := find(bird)
	concerns("the end of one that a look has seen", false, []string{"b"}, procEvent{kind: procExited, pid: 1})
	if !k.endLook("b", pids) {
		t.Error("a process that ended during the look still counts")
	}
	k.set(map[string]Process{"b": bird})
	concerns("a tracker that stays", false, []string{"b"}, procEvent{kind: procExited, pid: 1})
	k.set(map[string]Process{"b": other})
	concerns("a tracker that changed", false, nil, procEvent{kind: procExited, pid: 1})
}

// A program that forks all the time does not make its tracker search /proc all
// the time.
func TestProcessEventsAreDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		p := NewProcesses(slog.New(slog.DiscardHandler), func(string) { calls.Add(1) })
		p.proc = t.TempDir()
		p.known.set(map[string]Process{"b": {Name: "bird"}})
		p.known.endLook("b", map[int]bool{7: true})
		fork := func(want int32) {
			t.Helper()
			p.receive([]procEvent{{kind: procForked, pid: 8, parent: 7}}, false)
			synctest.Wait()
			if calls.Load() != want {
				t.Errorf("changed was called %d times, want %d", calls.Load(), want)
			}
		}
		fork(1)
		p.shared.rests = time.Now().Add(100 * time.Millisecond)
		fork(1)
		fork(1)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if calls.Load() != 2 {
			t.Errorf("changed was called %d times after the rest, want 2", calls.Load())
		}
		fork(3)
	})
}

// The kernel reports that a process has begun and ended, without any look in
// between.
func TestProcessEvents(t *testing.T) {
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
		case <-changed: // the kernel reports from now on
			asked = false
		case <-time.After(10 * time.Millisecond):
			if err := p.Err(); err != nil {
				tools.Without(t, "netns", err)
			}
		}
	}
	look := p.Look("sleep", what)
	if r := look(t.Context()); r.Up || r.Reason != `no process "hf-tracked 3600" is running` {
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
				t.Fatalf("nothing was reported; up is %v", look(t.Context()).Up)
			}
		}
	}
	becomes(true)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	becomes(false) // although it is a zombie
	_ = cmd.Wait()
	p.Set(nil)
	if err := p.Err(); err != nil {
		t.Error(err)
	}
}

// After its socket has overflowed, a feed reports that events were lost and goes
// on.
func TestProcFeedOverflow(t *testing.T) {
	feed, err := openProcFeed()
	if err != nil {
		tools.Without(t, "netns", err)
	}
	raw, err := feed.socket.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 1) }); err != nil {
		t.Fatal(err)
	}
	run := func() int {
		t.Helper()
		cmd := exec.Command("/bin/true")
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		return cmd.Process.Pid
	}
	for range 100 {
		run() // nobody reads the events
	}
	type batch struct {
		events []procEvent
		lost   bool
	}
	batches := make(chan batch, 1000)
	feed.start(func(events []procEvent, lost bool) { batches <- batch{events, lost} })
	defer feed.close()
	deadline := time.After(10 * time.Second)
	next := func() batch {
		t.Helper()
		select {
		case b := <-batches:
			return b
		case <-deadline:
			t.Fatal("nothing was reported")
			return batch{}
		}
	}
	for !next().lost {
	}
	afterwards := map[int]bool{}
	for {
		afterwards[run()] = true
		if slices.ContainsFunc(next().events, func(e procEvent) bool { return e.kind == procExited && afterwards[e.pid] }) {
			return
		}
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

// Looks share what was read of /proc until it has rested. Then the next look reads it
// again.
func TestLooksShareTheTable(t *testing.T) {
	p := NewProcesses(slog.New(slog.DiscardHandler), func(string) {})
	p.proc = t.TempDir()
	process(t, p.proc, 1, "1 (bird) S 0 1", "/usr/sbin/bird\x00")
	up := func(name string) bool { return p.Look(name, Process{Name: name, Min: 1})(t.Context()).Up }
	if !up("bird") || up("named") {
		t.Fatal("the first looks")
	}
	p.shared.rests = time.Now().Add(time.Hour)
	process(t, p.proc, 2, "2 (named) S 0 1", "named\x00")
	if err := os.RemoveAll(filepath.Join(p.proc, "1")); err != nil {
		t.Fatal(err)
	}
	if up("named") || !up("bird") {
		t.Error("/proc was read before its rest was over")
	}
	p.shared.rests = time.Now()
	if !up("named") || up("bird") || up("/usr/sbin/bird") {
		t.Error("/proc was not read after its rest")
	}
	if rest := p.shared.rest(); p.shared.rests.IsZero() || rest > time.Minute {
		t.Errorf("the rest is %v", rest)
	}
}
