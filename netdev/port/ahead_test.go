//go:build go1.26 && !go1.27 && !plainwait

package port

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
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
	return p, fds[0], fds[1], lone("a")
}

// lone returns a message that the caller alone has.
func lone(text string) *unix.Msghdr {
	vector := &unix.Iovec{Base: &[]byte(text)[0]}
	vector.SetLen(len(text))
	m := &unix.Msghdr{Iov: vector}
	m.SetIovlen(1)
	return m
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

// What leaves during a wait is what was planned, though memory is collected and the world
// stopped meanwhile. The port alone has the messages.
func TestSendAheadWhileCollecting(t *testing.T) {
	p, from, to, _ := aheadPort(t)
	done := make(chan struct{})
	var collector sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				runtime.GC()
				for range 1000 {
					litter = lone("zzzzzzzz")
				}
			}
		}
	})
	t.Cleanup(func() { close(done); collector.Wait() })
	all := 0
	for round := range 50 {
		now := time.Now()
		for i := range 8 {
			p.SendAhead(now.Add(time.Duration(i)*time.Millisecond), from, lone(fmt.Sprintf("%7d%d", round, i)))
		}
		if _, err := p.Receive(now.Add(10*time.Millisecond), nil); err != nil {
			t.Fatal(err)
		}
		sent, failed := p.SentAhead()
		if failed != 0 {
			t.Fatalf("round %d: %v", round, failed)
		}
		all += sent
		for i := range sent {
			b := make([]byte, 9)
			if n, err := unix.Read(to, b); err != nil || string(b[:n]) != fmt.Sprintf("%7d%d", round, i) {
				t.Fatalf("round %d: %q instead of message %d, %v", round, b[:n], i, err)
			}
		}
	}
	if all == 0 {
		t.Error("none has left")
	}
}

var litter *unix.Msghdr // so that memory is reused
