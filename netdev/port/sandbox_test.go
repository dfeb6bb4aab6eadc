package port

import (
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A port works in a sandbox that refuses epoll_pwait2, and says that it sends nothing ahead.
func TestSandbox(t *testing.T) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with the goroutine
		if err := refuse(unix.SYS_EPOLL_PWAIT2); err != nil {
			t.Errorf("make a sandbox: %v", err)
			return
		}
		p, err := New()
		if err != nil {
			t.Error(err)
			return
		}
		defer p.Shutdown()
		for range 2 {
			p.SendAhead(time.Now().Add(time.Millisecond), -1, &unix.Msghdr{})
			if _, err := p.Receive(time.Now().Add(2*time.Millisecond), nil); err != nil {
				t.Error(err)
			}
		}
		if p.SendAhead(time.Now(), -1, &unix.Msghdr{}) {
			t.Error("sends ahead all the same")
		}
	}()
	<-done
}

// refuse has a system call fail with EPERM for the calling thread, as systemd does.
func refuse(call uint32) error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the call, at 0
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program))); errno != 0 {
		return errno
	}
	return nil
}
