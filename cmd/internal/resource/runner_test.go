package resource

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/program"
	"holdfast/integration/tools"
)

// script makes a program.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(tools.Dir(t), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// act runs one action within a time.
func act(t *testing.T, r Runner, a Action, limit time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return Run(ctx, r, a, Environ("lvs1", "director", "x", a), func(int) {})
}

// Each kind is called by its convention, and says what an exit status means.
func TestConventions(t *testing.T) {
	tests := []struct {
		name   string
		runner func(script string) Runner
		text   string
		action Action
		want   string
	}{
		{"lsb runs", func(s string) Runner { return LSB{Script: s, Args: []string{"r0"}} }, `[ "$1 $2 $#" = "r0 status 2" ]`, Look, ""},
		{"lsb is dead", func(s string) Runner { return LSB{Script: s} }, `exit 3`, Look, "status says: it is not running"},
		{"lsb fails", func(s string) Runner { return LSB{Script: s} }, `echo no disk; exit 5`, Start, "start failed: not installed (exit status 5): no disk"},
		{"systemd starts", func(s string) Runner { return Systemd{Unit: "a.service", Systemctl: s} }, `[ "$*" = "start -- a.service" ]`, Start, ""},
		{"systemd is asked", func(s string) Runner { return Systemd{Unit: "a.service", Systemctl: s} }, `[ "$*" = "is-active -- a.service" ] && echo failed && exit 3`, Look, "unit a.service is not active: failed"},
		{"program", func(s string) Runner { return Programs{Start: program.Program{Argv: []string{s}}} }, `[ "$HOLDFAST_ACTION $HOLDFAST_GROUP $HOLDFAST_RESOURCE $HOLDFAST_DIRECTOR" = "start director x lvs1" ]`, Start, ""},
		{"no program", func(string) Runner { return Programs{} }, ``, Stop, ""},
		{"not there", func(string) Runner { return LSB{Script: "/nowhere/script"} }, ``, Start, "script /nowhere/script does not exist"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := act(t, test.runner(script(t, test.text)), test.action, 10*time.Second); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// A program that takes too long is killed with all that it started.
func TestTimeout(t *testing.T) {
	pids := filepath.Join(tools.Dir(t), "pids")
	r := LSB{Script: script(t, "sleep 3600 & echo $! >"+pids+"; echo waiting; wait")}
	got := act(t, r, Start, 500*time.Millisecond)
	if !strings.HasPrefix(got, "start was killed: it took longer than") || !strings.HasSuffix(got, ": waiting") {
		t.Errorf("%q", got)
	}
	b, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	child := strings.TrimSpace(string(b))
	for until := time.Now().Add(10 * time.Second); ; runtime.Gosched() { // until the signal has reached it
		state, err := os.ReadFile("/proc/" + child + "/stat")
		if err != nil || strings.Contains(string(state), ") Z ") {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("what the program started runs still: %s", state)
		}
	}
}

// A daemon that a program leaves behind keeps its output, and cannot fill the memory.
func TestOutputOfDaemon(t *testing.T) {
	dir := tools.Dir(t)
	done := filepath.Join(dir, "done")
	r := LSB{Script: script(t, "(while [ ! -e "+dir+"/go ]; do sleep 0.01; done; trap 'echo pipe >"+done+"' PIPE; head -c 1000000 /dev/zero 2>"+dir+"/why; echo $? >"+done+") & echo started; exit 1")}
	if got := act(t, r, Start, 10*time.Second); !strings.HasSuffix(got, "started") {
		t.Errorf("%q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		if b, _ := os.ReadFile(done); len(b) > 0 {
			if string(b) != "1\n" {
				t.Errorf("the daemon ended with %q", b)
			}
			return
		}
		if time.Now().After(until) {
			t.Fatal("the daemon did not end")
		}
	}
}

// What a former process began is waited for, and killed when its time is over.
func TestAwait(t *testing.T) {
	p := program.Program{Argv: []string{"/bin/sleep", "3600"}}
	run, err := p.Start(nil, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	Await(t.Context(), run.PID(), Ticks(run.PID())+1, time.Now().Add(time.Hour)) // another process
	begin := time.Now()
	Await(t.Context(), run.PID(), Ticks(run.PID()), begin.Add(200*time.Millisecond))
	if _, err := run.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("%v", err)
	}
	if time.Since(begin) < 200*time.Millisecond {
		t.Error("it was killed too soon")
	}
	Await(t.Context(), run.PID(), 1, time.Now().Add(time.Hour)) // it has ended
}

// The real agent of heartbeat mounts and unmounts a file system.
func TestFilesystemAgent(t *testing.T) {
	tools.Root(t, "mount a file system")
	root := filepath.Join(tools.Cache(), "root/usr/lib/ocf")
	if _, err := os.Stat(filepath.Join(root, "resource.d/heartbeat/Filesystem")); err != nil {
		tools.Without(t, "netns", "there are no resource agents (run `make tools`)")
	}
	runtime.LockOSThread() // and not unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	// The agent needs a modprobe, which it calls for file systems that are not built in.
	if err := unix.Mount("tmpfs", "/usr/local/sbin", "tmpfs", 0, "mode=755"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/bin/true", "/usr/local/sbin/modprobe"); err != nil {
		t.Fatal(err)
	}
	dir := tools.Dir(t)
	if err := os.WriteFile(filepath.Join(dir, "below"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r := OCF{
		Root: root, Provider: "heartbeat", Agent: "Filesystem", Instance: "www",
		Params: map[string]string{"device": "tmpfs", "directory": dir, "fstype": "tmpfs"},
		// It unmounts for as long as it is told that stop may take, and does not try without that.
		Timeouts: map[Action]int64{Stop: 20000},
	}
	mounted := func() bool { _, err := os.Stat(filepath.Join(dir, "below")); return err != nil }
	for _, step := range []struct {
		action  Action
		want    string
		mounted bool
	}{
		{Look, "Filesystem says: not running (exit status 7)", false}, {Stop, "", false},
		{Start, "", true}, {Start, "", true}, {Look, "", true}, {Stop, "", false},
	} {
		if got := act(t, r, step.action, 30*time.Second); !strings.HasPrefix(got, step.want) || step.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", step.action, got, step.want)
		}
		if mounted() != step.mounted {
			t.Errorf("after %s: mounted %v", step.action, mounted())
		}
	}
	r.Params = map[string]string{"device": "tmpfs"}
	if got := act(t, r, Start, 30*time.Second); !strings.Contains(got, "Filesystem says: ") {
		t.Errorf("without a directory: %q", got)
	}
}
