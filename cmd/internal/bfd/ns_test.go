package bfd

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/integration/tools"
	"holdfast/netdev/port"
)

// A ns is a network namespace of a test, whose goroutine is locked to its
// thread for good: the thread ends with it.
type ns struct {
	t  *testing.T
	fd int
}

func newNS(t *testing.T) *ns {
	t.Helper()
	tools.Root(t, "make network namespaces")
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make network namespace: %v", err)
	}
	fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	n := &ns{t, fd}
	n.run("ip link set lo up")
	return n
}

// enter makes it the namespace of the calling thread.
func (n *ns) enter() error { return unix.Setns(n.fd, unix.CLONE_NEWNET) }

// run runs commands, one a line, and returns what the last one said.
func (n *ns) run(commands string) (said string) {
	n.t.Helper()
	if err := n.enter(); err != nil {
		n.t.Fatal(err)
	}
	for line := range strings.Lines(commands) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		b, err := exec.Command(words[0], words[1:]...).CombinedOutput()
		if err != nil {
			n.t.Fatalf("%s: %v\n%s", strings.TrimSpace(line), err, b)
		}
		said = string(b)
	}
	return said
}

// A lan is two hosts with an interface each: 10.0.0.1, 10.0.0.77 and
// 2001:db8::1, and 10.0.0.2, 10.0.0.78 and 2001:db8::2. Their link-local
// addresses are fe80::1 and fe80::2.
func newLAN(t *testing.T) (here, there *ns) {
	t.Helper()
	there = newNS(t)
	here = newNS(t)
	here.run(fmt.Sprintf("ip link add name eth0 type veth peer name eth0 netns /proc/%d/fd/%d", os.Getpid(), there.fd))
	for i, n := range []*ns{here, there} {
		n.run(fmt.Sprintf(`
			ip link set eth0 addrgenmode none
			ip address add 10.0.0.%d/24 dev eth0
			ip address add 10.0.0.%d/24 dev eth0
			ip address add 2001:db8::%d/64 dev eth0 nodad
			ip address add fe80::%d/64 dev eth0 nodad
			ip link set eth0 up`, i+1, i+77, i+1, i+1))
	}
	// Until the kernel has seen the carrier, a queue that drops is in place.
	for _, n := range []*ns{there, here} {
		tools.Await(t, "eth0 is up", func() (any, bool) {
			said := n.run("ip link show eth0")
			return said, strings.Contains(said, "state UP")
		})
	}
	return here, there
}

// speak starts a speaker in the namespace.
func (n *ns) speak(configs ...Config) (*testSpeaker, *witness) {
	n.t.Helper()
	p, err := port.New()
	if err != nil {
		n.t.Fatal(err)
	}
	w := &witness{}
	s := &testSpeaker{NewSpeaker(Options{Log: slog.New(slog.DiscardHandler), OnChange: w.hear, OnUrgent: w.hurry, Loop: p}), make(chan struct{})}
	go n.turn(p, s)
	n.t.Cleanup(s.Close)
	s.Apply(configs, nil, 0)
	return s, w
}

// turn is the loop of a speaker.
func (n *ns) turn(p *port.Port, s *testSpeaker) {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	defer p.Shutdown()
	defer s.End()
	if err := n.enter(); err != nil {
		n.t.Error(err)
		return
	}
	for {
		if _, err := p.Receive(s.Deadline(), nil); err != nil {
			n.t.Error(err)
			return
		}
		select {
		case <-s.ending:
			return
		default:
			s.Turn()
		}
	}
}
