package director

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"holdfast/integration/tools"

	"golang.org/x/sys/unix"
)

// aloneInNamespace gives the test a network namespace of its own; its thread
// ends with it.
func aloneInNamespace(t *testing.T) {
	t.Helper()
	tools.Root(t, "make network namespaces")
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
}

func TestLockNamespace(t *testing.T) {
	aloneInNamespace(t)
	log := slog.New(slog.DiscardHandler)
	first, err := lockNamespace(log)
	if err != nil || first == nil {
		t.Fatalf("%v, %v", first, err)
	}
	for range 40 { // more than wait to be accepted
		if second, err := lockNamespace(log); err == nil || second != nil {
			t.Fatalf("the lock was had twice: %v", second)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := lockNamespace(log)
	if err != nil || again == nil {
		t.Fatalf("after it was given back: %v, %v", again, err)
	}
	_ = again.Close()
}

// An unprivileged process that takes the lock's name does not keep a director from
// starting. A director that is not root does, because it may change the network.
func TestLockNamespaceOfOtherUser(t *testing.T) {
	if os.Getenv("HOLDER") != "" {
		if _, err := lockNamespace(slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		fmt.Println("holding")
		_, _ = io.ReadAll(os.Stdin)
		return
	}
	for _, tt := range []struct {
		name    string
		ambient []uintptr
		refused bool
	}{
		{"without capabilities", nil, false},
		{"a director", []uintptr{unix.CAP_NET_ADMIN}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			aloneInNamespace(t)
			hold(t, tt.ambient)
			var logged strings.Builder
			l, err := lockNamespace(slog.New(slog.NewTextHandler(&logged, nil)))
			if l != nil || (err != nil) != tt.refused || !tt.refused && !strings.Contains(logged.String(), "uid=65534") {
				t.Errorf("%v, %v, logged %q", l, err, logged.String())
			}
		})
	}
}

// hold has a process of another user lock the network namespace of the calling thread.
func hold(t *testing.T, ambient []uintptr) {
	t.Helper()
	const nobody = 65534
	holder := exec.Command("/proc/self/exe", "-test.run=^TestLockNamespaceOfOtherUser$")
	holder.Env = append(os.Environ(), "HOLDER=1")
	holder.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, AmbientCaps: ambient}
	in, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = holder.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "holding\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
}
