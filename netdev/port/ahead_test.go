//go:build go1.26 && !go1.27 && !plainwait

package port

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// aheadPort returns a port, a socket whose messages another one receives, and the message
// "a".
func aheadPort(t *testing.T) (p *Port, from, to int, message *unix.Msghdr) {
	t.Helper()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Shutdown)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	vector := &unix.Iovec{Base: &[]byte("a")[0]}
	vector.SetLen(1)
	message = &unix.Msghdr{Iov: vector}
	message.SetIovlen(1)
	return p, fds[0], fds[1], message
}

func waiting(t *testing.T, fd int) (n int) {
	t.Helper()
	for b := make([]byte, 8); ; n++ {
		if _, err := unix.Read(fd, b); errors.Is(err, unix.EAGAIN) {
			return n
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// receive waits until a time from now, and returns how long that took and what left.
func aheadReceive(t *testing.T, p *Port, left time.Duration) (took time.Duration, sent int, failed unix.Errno) {
	t.Helper()
	start := time.Now()
	if _, err := p.Receive(start.Add(left), nil); err != nil {
		t.Fatal(err)
	}
	took = time.Since(start)
	sent, failed = p.SentAhead()
	return took, sent, failed
}

// What has its moment before the deadline leaves, in order, and the wait goes on. What has
// it later is forgotten.
func TestSendAhead(t *testing.T) {
	p, from, to, message := aheadPort(t)
	for range 2 { // a second wait begins anew
		now := time.Now()
		for _, at := range []int{20, 20, 30, 400} {
			if !p.SendAhead(now.Add(time.Duration(at)*time.Millisecond), from, message) {
				t.Fatal("not possible")
			}
		}
		took, sent, failed := aheadReceive(t, p, 200*time.Millisecond)
		if n := waiting(t, to); took < 200*time.Millisecond && sent == 3 || n != sent || failed != 0 {
			t.Errorf("after %v %d have left, %d arrived, and the last one failed with %v", took, sent, n, failed)
		} else if sent != 3 {
			t.Logf("a busy machine: %d have left after %v", sent, took)
		}
	}
	if _, sent, _ := aheadReceive(t, p, time.Millisecond); sent != 0 || waiting(t, to) != 0 {
		t.Errorf("%d have left that nobody has asked for", sent)
	}
}

// The wait ends early for an event, for what the kernel refuses and for what is late.
func TestSendAheadEnds(t *testing.T) {
	p, from, to, message := aheadPort(t)
	const long = 10 * time.Second
	p.SendAhead(time.Now().Add(long/2), from, message)
	p.Wake()
	if took, sent, _ := aheadReceive(t, p, long); took > long/4 || sent != 0 {
		t.Errorf("woken: after %v, %d have left", took, sent)
	}
	p.SendAhead(time.Now().Add(-2*aheadTolerance), from, message)
	if took, sent, _ := aheadReceive(t, p, long); took > long/4 || sent != 0 || waiting(t, to) != 0 {
		t.Errorf("late: after %v, %d have left", took, sent)
	}
	now := time.Now()
	p.SendAhead(now, to, &unix.Msghdr{Name: message.Iov.Base, Namelen: 1}) // no such address
	p.SendAhead(now, from, message)
	if took, sent, failed := aheadReceive(t, p, long); took > long/4 || sent > 1 || (failed != 0) != (sent == 1) {
		t.Errorf("refused: after %v, %d have left, and the last one failed with %v", took, sent, failed)
	}
}

// Neither the plan nor its execution allocates.
func TestSendAheadAllocatesNothing(t *testing.T) {
	p, from, to, message := aheadPort(t)
	round := func() {
		now := time.Now()
		for range 8 {
			p.SendAhead(now, from, message)
		}
		if _, err := p.Receive(now.Add(time.Millisecond), nil); err != nil {
			t.Error(err)
		}
		p.SentAhead()
	}
	round()
	waiting(t, to)
	if n := testing.AllocsPerRun(10, round); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
