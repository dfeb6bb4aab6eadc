//go:build go1.26 && !go1.27 && !plainwait

package port

import (
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A repeatStage has a socket that is read during a wait, one that sends to it, and memory.
type repeatStage struct {
	*Port
	repeats  Repeats
	to, from int
	messages []MMsghdr
}

func newRepeatStage(t *testing.T) *repeatStage {
	t.Helper()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Shutdown)
	s := &repeatStage{Port: p, to: loopbackSocket(t), from: loopbackSocket(t), messages: make([]MMsghdr, 4)}
	for i := range s.messages {
		h := &s.messages[i].Header
		h.Name, h.Namelen = &make([]byte, unix.SizeofSockaddrInet6)[0], unix.SizeofSockaddrInet6
		h.Iov = &unix.Iovec{Base: &make([]byte, 64)[0]}
		h.Iov.SetLen(64)
		h.SetIovlen(1)
		h.Control = &make([]byte, repeatControl)[0]
		h.SetControllen(repeatControl)
	}
	if err := unix.SetsockoptInt(s.to, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW, 1); err != nil {
		t.Fatal(err)
	}
	address, err := unix.Getsockname(s.to)
	if err == nil {
		err = unix.Connect(s.from, address)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func loopbackSocket(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	return fd
}

// expect expects repetitions of a datagram, which it receives for that.
func (s *repeatStage) expect(t *testing.T, text string) {
	t.Helper()
	if _, err := unix.Write(s.from, []byte(text)); err != nil {
		t.Fatal(err)
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.to), uintptr(unsafe.Pointer(&s.messages[0])), 1, 0, 0, 0)
	if errno != 0 || n != 1 || !s.repeats.Expect(&s.messages[0]) {
		t.Fatalf("%d messages, %v: not to be expected", n, errno)
	}
}

// listen waits while datagrams leave at moments, in milliseconds. It listens from 25 ms on,
// and as long as one came in the 25 ms before.
func (s *repeatStage) listen(t *testing.T, leave []int, texts ...string) (took time.Duration) {
	t.Helper()
	waiting(t, s.to) // what a round before has left
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	if !s.ReceiveAhead(&s.repeats, s.to, at(25), 25*time.Millisecond, start, s.messages) {
		t.Fatal("not possible")
	}
	for i, ms := range leave {
		s.SendAhead(at(ms), s.from, lone(texts[min(i, len(texts)-1)]))
	}
	if _, err := s.Receive(start.Add(10*time.Second), nil); err != nil {
		t.Fatal(err)
	}
	return time.Since(start)
}

// tooLate skips a round in which the machine was busy: the caller of Receive wants to know.
func tooLate(t *testing.T, round int, sent, of int) bool {
	t.Helper()
	if round > 20 {
		t.Fatal("always late")
	}
	return sent < of
}

// The wait goes on while repetitions arrive, and ends when none has for a time.
func TestHearAhead(t *testing.T) {
	s := newRepeatStage(t)
	s.expect(t, "again")
	for round := 0; ; round++ {
		took := s.listen(t, []int{5, 20, 40}, "again")
		n, latest, emptied, until := s.repeats.Received()
		sent, _ := s.SentAhead()
		if e, from, to := s.ReceivedAhead(); e != nil {
			t.Fatalf("messages %d to %d were not expected", from, to)
		}
		if took < 60*time.Millisecond && tooLate(t, round, sent, 3) || n < 3 && tooLate(t, round, n, 3) {
			continue
		}
		if n != 3 || took < 64*time.Millisecond || took > 5*time.Second || until.Sub(latest) != 25*time.Millisecond || emptied.Before(latest) {
			t.Errorf("after %v: %d repetitions, the last %v ago, emptied %v ago, until %v ago", took, n, time.Since(latest), time.Since(emptied), time.Since(until))
		}
		return
	}
}

// Whatever else comes ends the wait, and is there to be read.
func TestHearOther(t *testing.T) {
	for what, other := range map[string]string{"longer": "again!", "different": "agaim"} {
		s := newRepeatStage(t)
		s.expect(t, "again")
		for round := 0; ; round++ {
			took := s.listen(t, []int{5, 10, 15}, "again", other, "again")
			e, from, to := s.ReceivedAhead()
			if e == nil && tooLate(t, round, 0, 1) {
				continue
			}
			n, _, _, _ := s.repeats.Received()
			if e != &s.repeats || n != 1 || from != 1 || to != 3 || took > 5*time.Second {
				t.Fatalf("%s: after %v %d repetitions, then %d to %d", what, took, n, from, to)
			}
			m := &s.messages[from]
			if got := string(unsafe.Slice(m.Header.Iov.Base, m.Length)); got != other {
				t.Errorf("%s: got %q", what, got)
			}
			break
		}
	}
	s := newRepeatStage(t)
	s.expect(t, "again")
	s.from = loopbackSocket(t) // another source
	address, _ := unix.Getsockname(s.to)
	if err := unix.Connect(s.from, address); err != nil {
		t.Fatal(err)
	}
	for round := 0; ; round++ {
		s.listen(t, []int{5}, "again")
		if e, _, _ := s.ReceivedAhead(); e == nil && tooLate(t, round, 0, 1) {
			continue
		} else if n, _, _, _ := s.repeats.Received(); n != 0 {
			t.Error("a repetition by another source")
		}
		return
	}
}
