package checktools

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"holdfast/checker/probe"
	"holdfast/integration/tools"
)

// shell returns the program of a script. The shell runs it, because a script that was
// just written may still be open in a process that another test forks.
func shell(t *testing.T, script string) probe.Program {
	t.Helper()
	return probe.Program{Argv: []string{"/bin/sh", "-c", script}}
}

func TestRun(t *testing.T) {
	tests := []struct {
		name, script string
		want         probe.Ended
	}{
		{"well", "echo fine; echo odd >&2", probe.Ended{Output: []byte("fine\n"), Errors: []byte("odd\n")}},
		{"status", "exit 255", probe.Ended{Status: 255}},
		{"signal", "kill -9 $$", probe.Ended{Status: -1, Signal: "killed"}},
		{"much output", "yes 1234567 | head -c 1000000", probe.Ended{Output: []byte(strings.Repeat("1234567\n", 8192))}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := new(Programs).Run(t.Context(), shell(t, tt.script))
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// A program gets the environment of its check and no other.
func TestRunEnvironment(t *testing.T) {
	t.Setenv("SECRET", "x")
	var p Programs
	p.Configure("lvs1", "", "")
	of := probe.Program{Argv: []string{"/usr/bin/env"}, Environment: []string{"HOLDFAST_CHECK=plain", "PATH=/opt/bin"}}
	got, err := p.Run(t.Context(), of)
	want := "HOLDFAST_CHECK=plain\nHOLDFAST_DIRECTOR=lvs1\nLANG=C.UTF-8\nPATH=/opt/bin\n"
	lines := strings.Split(strings.TrimSpace(string(got.Output)), "\n")
	if diff := cmp.Diff(want, sorted(lines)); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	if !IsCheck([]string{"HOLDFAST_CHECK=plain"}) || IsCheck([]string{"HOLDFAST_TRACKER=a"}) {
		t.Error("the programs of checks are not told from others")
	}
}

func sorted(lines []string) string {
	for i := range lines {
		for j := i; j > 0 && lines[j] < lines[j-1]; j-- {
			lines[j], lines[j-1] = lines[j-1], lines[j]
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// The program's own user comes before that of the configuration.
func TestRunUser(t *testing.T) {
	tools.Root(t, "run programs as another user")
	var p Programs
	p.Configure("lvs1", "nobody", "nogroup")
	for _, tt := range []struct{ user, want string }{{"", "65534:65534"}, {"root", "0:0"}} {
		of := shell(t, `echo "$(id -u):$(id -g)"`)
		of.User = tt.user
		if got, err := p.Run(t.Context(), of); err != nil || string(got.Output) != tt.want+"\n" {
			t.Errorf("user %q: %q, error %v", tt.user, got.Output, err)
		}
	}
}

// When the time is up the program and all that it started end, and none is left as a
// zombie. The same holds for what a program leaves behind that ends in time.
func TestRunEndsGroup(t *testing.T) {
	for _, tt := range []struct {
		name, after string
		late        bool
	}{{"late", "wait", true}, {"in time", "exit 0", false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			notes := newPIDPipe(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				_, err := new(Programs).Run(ctx, shell(t, "sleep 1000 >/dev/null 2>&1 & echo $$ $! >"+string(notes)+"; "+tt.after))
				ended <- err
			}()
			pids := notes.read(t)
			if tt.late {
				cancel()
			}
			if err := <-ended; (err != nil) != tt.late {
				t.Errorf("error %v", err)
			}
			for _, pid := range pids {
				awaitGone(t, pid)
			}
		})
	}
}

// A pidPipe is a named pipe to which a script writes the numbers of two processes.
type pidPipe string

func newPIDPipe(t *testing.T) pidPipe {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pids")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return pidPipe(path)
}

// read waits until the script has written.
func (p pidPipe) read(t *testing.T) (pids [2]int) {
	t.Helper()
	text, err := os.ReadFile(string(p))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(text), &pids[0], &pids[1]); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return pids
}

// awaitGone waits for the end of a process. One of this process must also have been
// waited for.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	n, err := 0, error(unix.EINTR)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20_000)
	}
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if n != 1 || strings.Contains(string(stat), fmt.Sprintf(") Z %d ", os.Getpid())) {
		t.Fatalf("process %d is still there (%v): %s", pid, err, stat)
	}
}

// A program that cannot or must not be run is not run.
func TestRunRefuses(t *testing.T) {
	tools.Root(t, "give files away")
	dir := tools.Dir(t)
	write := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("exit 0\n"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open, plain, text := write("open", 0o777), write("plain", 0o644), write("text", 0o755)
	tests := []struct {
		of   probe.Program
		want string
	}{
		{probe.Program{Argv: []string{"/nonexistent"}}, "script /nonexistent does not exist"},
		{probe.Program{Argv: []string{plain}}, "script " + plain + " is not executable (mode 0644)"},
		{probe.Program{Argv: []string{open}}, "script " + open + " is writable by everybody (mode 0777)"},
		{probe.Program{Argv: []string{text}}, "fork/exec " + text + ": exec format error"},
		{probe.Program{Argv: []string{"/bin/sh"}, User: "no-such-user"}, `unknown user "no-such-user"`},
		{probe.Program{Argv: []string{"/bin/sh", open}, Script: open}, "script " + open + " is writable by everybody (mode 0777)"},
		{probe.Program{Argv: []string{"/bin/sh", plain}, Script: plain}, ""},
	}
	for _, tt := range tests {
		_, err := new(Programs).Run(t.Context(), tt.of)
		if (err == nil) != (tt.want == "") || err != nil && err.Error() != tt.want {
			t.Errorf("%q: error %v, want %s", tt.of.Argv, err, tt.want)
		}
	}
}
