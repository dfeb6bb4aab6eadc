package port

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A watched descriptor ends the wait, each time until it is read, and not after
// Unwatch.
func TestWatch(t *testing.T) {
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Shutdown)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[1])
	told := 0
	if err := p.Watch(pipe[0], func() { told++ }); err != nil {
		t.Fatal(err)
	}
	wait := func(d time.Duration) {
		t.Helper()
		if got, err := p.Receive(time.Now().Add(d), nil); err != nil || len(got) > 0 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	wait(0)
	if told != 0 {
		t.Error("told of an empty pipe")
	}
	if _, err := unix.Write(pipe[1], []byte{1}); err != nil {
		t.Fatal(err)
	}
	wait(time.Minute)
	wait(time.Minute)
	if told != 2 {
		t.Errorf("told %d times, want 2", told)
	}
	p.Unwatch(pipe[0])
	p.Unwatch(pipe[0])
	wait(0)
	if told != 2 {
		t.Error("told after Unwatch")
	}
	unix.Close(pipe[0])
	p.Shutdown()
	if err := p.Watch(pipe[1], func() {}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Shutdown: %v", err)
	}
	p.Unwatch(pipe[1])
}
