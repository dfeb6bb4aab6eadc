package director

import (
	"log/slog"
	"runtime"
	"strings"
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
// starting.
func TestLockNamespaceSquatted(t *testing.T) {
	aloneInNamespace(t)
	var logged strings.Builder
	log := slog.New(slog.NewTextHandler(&logged, nil))
	const nobody, same = 65534, ^uintptr(0)
	become := func(uid uintptr) {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, same, uid, same); errno != 0 { // of this thread
			t.Fatal(errno)
		}
	}
	become(nobody)
	squatter, err := lockNamespace(log)
	become(0)
	if err != nil || squatter == nil {
		t.Fatalf("%v, %v", squatter, err)
	}
	defer squatter.Close()
	l, err := lockNamespace(log)
	if l != nil || err != nil || !strings.Contains(logged.String(), "uid=65534") {
		t.Errorf("%v, %v, logged %q", l, err, logged.String())
	}
}
