package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/tools"
)

// nobody is the id of a user and of a group that exist on every system.
const nobody = 65534

// file makes a script below dir that belongs to uid and gid.
func file(t *testing.T, dir, name string, mode os.FileMode, uid, gid int) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\nid -u; id -g; id -G; echo \"$@\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	change(t, path, mode, uid, gid)
	return path
}

func change(t *testing.T, path string, mode os.FileMode, uid, gid int) {
	t.Helper()
	if err := os.Lchown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	tools.Root(t, "give files away")
	dir := tools.Dir(t)
	inOpen, inSticky := file(t, dir, "open/script", 0o755, 0, 0), file(t, dir, "sticky/script", 0o755, 0, 0)
	change(t, filepath.Join(dir, "open"), 0o777, 0, 0)
	change(t, filepath.Join(dir, "sticky"), 0o777|os.ModeSticky, 0, 0)
	theirs := file(t, dir, "theirs/script", 0o755, 0, 0)
	change(t, filepath.Join(dir, "theirs"), 0o755, nobody, 0)
	link := func(name, target string) string {
		path := filepath.Join(dir, name)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	loop := link("loop", "loop")
	fine := file(t, dir, "fine", 0o755, 0, 0)
	stickyLink := link("sticky/link", fine)
	if err := os.Lchown(stickyLink, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, script, user, want string }{
		{"fine", fine, "", ""},
		{"in a sticky directory", inSticky, "", ""},
		{"by a relative link", link("relative", "sticky/../fine"), "", ""},
		{"of the group root", file(t, dir, "grouproot", 0o775, 0, 0), "", ""},
		{"of the user that runs it", file(t, dir, "own", 0o755, nobody, 0), strconv.Itoa(nobody), ""},
		{"none", "", "", "no script is named"},
		{"relative", "notify.sh", "", `script "notify.sh" is not an absolute path`},
		{"missing", "/nonexistent/notify.sh", "", "script /nonexistent/notify.sh does not exist"},
		{"missing by a link", link("dangling", "nothing"), "", "dangling does not exist"},
		{"directory", dir, "", "is not a regular file"},
		{"not executable", file(t, dir, "data", 0o644, 0, 0), "", "is not executable (mode 0644)"},
		{"writable by everybody", file(t, dir, "loose", 0o757, 0, 0), "", "is writable by everybody (mode 0757)"},
		{"writable by a group", file(t, dir, "group", 0o775, 0, nobody), "", "is writable by group 65534 (mode 0775)"},
		{"of another user", file(t, dir, "other", 0o755, nobody, 0), "", "is writable by user 65534 (mode 0755)"},
		{"in a directory writable by everybody", inOpen, "", "is in directory " + dir + "/open, which is writable by everybody"},
		{"in another's directory", theirs, "", "is in directory " + dir + "/theirs, which is writable by user 65534"},
		{"a link to it", link("link", inOpen), "", "is in directory " + dir + "/open, which is writable by everybody"},
		{"a link in it", link("open/link", fine), "", "is in directory " + dir + "/open, which is writable by everybody"},
		{"another's link in a sticky directory", stickyLink, "", "is reached through the symbolic link " + stickyLink + ", which belongs to user 65534"},
		{"a link to itself", loop, "", "cannot follow the symbolic link " + loop},
		{"unknown user", fine, "no-such-user", `unknown user "no-such-user"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := (&Program{Argv: []string{test.script}, User: test.user}).Check()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("Check() = %v, want %q", err, test.want)
			}
		})
	}
	p := Program{Argv: []string{fine}, Group: "no-such-group"}
	if err := p.Check(); err == nil || err.Error() != `unknown group "no-such-group"` {
		t.Errorf("with an unknown group: %v", err)
	}
}

func TestRunsAsTheUser(t *testing.T) {
	tools.Root(t, "give files away")
	dir := tools.Dir(t)
	script := file(t, dir, "who", 0o755, 0, 0)
	for _, test := range []struct{ name, user, group, want string }{
		{"the daemon", "", "", "0\n0\n"},
		{"user", "nobody", "", "65534\n65534\n65534\na b\n"},
		{"user by number", "65534", "", "65534\n65534\n65534\na b\n"},
		{"user and group", "nobody", "1", "65534\n1\n1 65534\na b\n"},
		{"group", "", "1", "0\n1\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := Program{Argv: []string{script, "a", "b"}, User: test.user, Group: test.group}
			var out bytes.Buffer
			if err := p.Run(t.Context(), nil, &out); err != nil || !strings.HasPrefix(out.String(), test.want) {
				t.Errorf("it ran as %q (%v), want %q", out.String(), err, test.want)
			}
		})
	}
}

func TestRunKillsTheGroupWhenTheContextEnds(t *testing.T) {
	p := Program{Argv: []string{"/bin/sh", "-c", "trap '' TERM; (echo begun; sleep 1000) & wait"}}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		defer write.Close()
		ended <- p.Run(ctx, []string{"PATH=" + Path}, write)
	}()
	begun := make([]byte, 6)
	if _, err := read.Read(begun); err != nil || string(begun) != "begun\n" {
		t.Fatalf("read %q, %v", begun, err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	if n, err := read.Read(begun); n > 0 || err == nil { // the last writer is dead
		t.Errorf("read %q, %v; want the end", begun[:n], err)
	}
}

// Children of the previous binary are reaped, and orphans are killed.
func TestInherit(t *testing.T) {
	start := func(env string, argv ...string) int {
		t.Helper()
		pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Env: []string{env}, Sys: &syscall.SysProcAttr{Setpgid: true}})
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	ended := start("WHO=one", "/bin/true")
	stays := start("WHO=two", "/bin/sleep", "1000")
	orphan := start("WHO=orphan", "/bin/sleep", "1000")
	if err := Inherit(nil, nil, func(env []string) bool { return slices.Contains(env, "WHO=orphan") }); err != nil {
		t.Fatal(err)
	}
	gone := func(pid int) {
		t.Helper()
		tools.Await(t, fmt.Sprintf("the end of process %d", pid), func() (any, bool) { p := parent(pid); return p, p == 0 })
	}
	gone(ended)
	gone(orphan)
	if parent(stays) != os.Getpid() {
		t.Error("a child that is not an orphan was killed")
	}
	if err := syscall.Kill(stays, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	gone(stays)
}

// A program that the former binary started is ended when its time is over, with what it
// has started itself.
func TestInheritedProgramsEndInTime(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	const limit = 300 * time.Millisecond
	begun := time.Now()
	pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", "trap '' TERM; sleep 1000 & wait; wait; sleep 1000"}, &syscall.ProcAttr{
		Env: []string{"PATH=" + Path}, Files: []uintptr{0, write.Fd(), 2}, Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	write.Close()
	if err := Inherit(map[int]time.Duration{pid: sinceBoot() + limit}, nil, func([]string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if _, ok := Ends()[pid]; !ok {
		t.Error("a second upgrade would not know its end")
	}
	if err := read.SetReadDeadline(begun.Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(read); err != nil { // until nobody has the other end
		t.Errorf("the program and its child were not ended: %v", err)
	}
	if took := time.Since(begun); took < limit {
		t.Errorf("ended after %v, before its time was over", took)
	}
	tools.Await(t, "nothing that is known as running", func() (any, bool) { all := Ends(); return all, len(all) == 0 })
}

// Whoever has asked to watch a program of the former binary gets its exit status, also
// when that has ended before, and knows when it must have ended.
func TestInherited(t *testing.T) {
	start := func(body string) int {
		t.Helper()
		pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", body}, &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Setpgid: true}})
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	for _, test := range []struct {
		body, want string
		code       int
	}{{"exit 0", "<nil>", 0}, {"exit 3", "exit status 3", 3}, {"kill -USR1 $$", "signal: user defined signal 1", -1}} {
		pid := start(test.body)
		awaitExit(pid)
		end := sinceBoot() + time.Hour
		if err := Inherit(map[int]time.Duration{pid: end}, []int{pid}, func([]string) bool { return true }); err != nil {
			t.Fatal(err)
		}
		p, err := Inherited(pid, end)
		if err != nil {
			t.Fatal(err)
		}
		if left := p.Left(); left > time.Hour || left < 30*time.Minute || p.End() != end || Ends()[pid] != end {
			t.Errorf("%v left, until %v and %v; want until %v", left, p.End(), Ends()[pid], end)
		}
		if code, err := p.Wait(); code != test.code || fmt.Sprint(err) != test.want {
			t.Errorf("%s: %d, %v; want %s", test.body, code, err, test.want)
		}
		if len(Ends()) > 0 {
			t.Errorf("still known as running: %v", Ends())
		}
		if _, err := Inherited(pid, end); err == nil {
			t.Error("a process that is no child was inherited")
		}
	}
	running := start("sleep 1000")
	p, err := Inherited(running, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.Signal(unix.SIGKILL)
	if code, err := p.Wait(); code != -1 || fmt.Sprint(err) != "signal: killed" {
		t.Errorf("%d, %v", code, err)
	}
}

// The binary after an upgrade can know until when a program of Run or Start may run.
func TestEnds(t *testing.T) {
	ends := func() []time.Duration { return slices.Collect(maps.Values(Ends())) }
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	p := Program{Argv: []string{"/bin/sleep", "1000"}}
	ended := make(chan error)
	go func() { ended <- p.Run(ctx, nil, nil) }()
	for end := time.Now().Add(10 * time.Second); len(ends()) == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	limited := p
	limited.Limit = time.Minute
	run, err := limited.Start(nil, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	unlimited, err := p.Start(nil, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	all := ends()
	if len(all) != 2 {
		t.Errorf("the ends %v, want two", all)
	}
	for _, end := range all {
		if left := end - sinceBoot(); left > time.Minute || left < 30*time.Second {
			t.Errorf("%v left", left)
		}
	}
	cancel()
	<-ended
	run.Signal(unix.SIGKILL)
	unlimited.Signal(unix.SIGKILL)
	_, _ = run.Wait()
	_, _ = unlimited.Wait()
	if all := ends(); len(all) != 0 {
		t.Errorf("ends of programs that have ended: %v", all)
	}
}

// The daemon's protection from the OOM killer does not extend to its scripts.
func TestScriptsAreNotSpared(t *testing.T) {
	tools.Root(t, "change oom_score_adj")
	const own = "/proc/self/oom_score_adj"
	before, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	// A negative score needs a capability that containers lack: 7 stands for it.
	former := spared
	spared = func() bool { return true }
	t.Cleanup(func() {
		spared = former
		_ = os.WriteFile(own, bytes.TrimSpace(before), 0)
	})
	if err := os.WriteFile(own, []byte("7"), 0); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	p := Program{Argv: []string{"/bin/sh", "-c", "while read n </proc/self/oom_score_adj && test $n != 0; do sleep 0.01; done; echo $n"}}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := p.Run(ctx, []string{"PATH=" + Path}, &out); err != nil || out.String() != "0\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// A bound program does not outlive the daemon, even if that is killed.
func TestBoundDiesWithItsParent(t *testing.T) {
	if os.Getenv("BE_THE_PARENT") != "" {
		runtime.LockOSThread()
		run, err := (&Program{Argv: []string{"/bin/sleep", "1000"}}).Start(nil, os.Stderr, true)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(run.PID())
		_, _ = run.Wait()
		return
	}
	daemon := exec.Command(os.Args[0], "-test.run=^TestBoundDiesWithItsParent$")
	daemon.Env = append(os.Environ(), "BE_THE_PARENT=1")
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	bound, err := unix.PidfdOpen(pid, 0) // readable when the process has ended
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(bound)
	if err := daemon.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = daemon.Wait() // it was killed
	if n, err := pollRead(bound, 10*time.Second); n != 1 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		t.Fatalf("the bound program still runs (%v)", err)
	}
}

// pollRead waits until fd is readable, as a pidfd is when its process has ended.
func pollRead(fd int, limit time.Duration) (n int, err error) {
	for end := time.Now().Add(limit); ; {
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(max(0, time.Until(end)).Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
