package program

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/integration/tools"
)

// A daemon that is not root has its capabilities as ambient ones. Its programs have none
// of them, and the binary that it is replaced by has all.
func TestCapabilitiesStayWithTheDaemon(t *testing.T) {
	if os.Getenv("AMBIENT") == "" {
		tools.Root(t, "start a process with ambient capabilities")
		daemon := exec.Command("/proc/self/exe", "-test.run=^TestCapabilitiesStayWithTheDaemon$", "-test.v")
		daemon.Env = append(os.Environ(), "AMBIENT=1")
		daemon.SysProcAttr = &syscall.SysProcAttr{
			Credential:  &syscall.Credential{Uid: nobody, Gid: nobody},
			AmbientCaps: []uintptr{unix.CAP_NET_ADMIN, unix.CAP_SETUID, unix.CAP_SETGID},
		}
		out, err := daemon.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if strings.Contains(string(out), "SKIP") {
			tools.Without(t, "capabilities", string(out))
		}
		return
	}
	if err := KeepCapabilities(); err != nil {
		if errors.Is(err, syscall.ENOTSUP) {
			// Such as with the race detector. The Makefile runs the test without cgo, too.
			tools.Without(t, "capabilities", "a binary with cgo cannot change all threads")
		}
		t.Fatal(err)
	}
	for name, p := range map[string]Program{
		"the daemon's user": {Argv: []string{"/bin/cat", "/proc/self/status"}},
		"another user":      {Argv: []string{"/bin/cat", "/proc/self/status"}, User: "daemon"},
	} {
		var out bytes.Buffer
		if err := p.Run(t.Context(), nil, &out); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(out.String(), "CapEff:\t0000000000000000") || !strings.Contains(out.String(), "CapPrm:\t0000000000000000") {
			t.Errorf("a program of %s has capabilities:\n%s", name, out.String())
		}
	}
	runtime.LockOSThread()
	if err := PassCapabilities(); err != nil {
		t.Fatal(err)
	}
	next, err := exec.Command("/bin/grep", "CapEff", "/proc/self/status").Output()
	if err != nil || !strings.Contains(string(next), "CapEff:\t00000000000010c0") {
		t.Errorf("the next binary has %s, %v, want CAP_NET_ADMIN (0x1000), CAP_SETUID and CAP_SETGID", next, err)
	}
}
