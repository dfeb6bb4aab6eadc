// Package testns makes network namespaces for the tests of netdev and its rooms.
package testns

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"holdfast/integration/tools"

	"golang.org/x/sys/unix"
)

// An NS is a network namespace of a test. The test's goroutine is locked to its
// thread and never unlocked, so the thread ends with the test and leaves no
// other goroutine in a strange namespace.
type NS struct {
	T    testing.TB
	Name string
	FD   int
}

// New makes a namespace and enters it.
func New(t testing.TB, name string) *NS {
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
	n := &NS{t, name, fd}
	n.Run("ip link set lo up")
	return n
}

// Enter makes n the namespace of the test's thread.
func (n *NS) Enter() {
	n.T.Helper()
	if err := unix.Setns(n.FD, unix.CLONE_NEWNET); err != nil {
		n.T.Fatalf("enter namespace %s: %v", n.Name, err)
	}
}

// Run runs commands, one a line, in n and returns what they print.
func (n *NS) Run(commands string) string {
	n.T.Helper()
	n.Enter()
	var out strings.Builder
	for line := range strings.Lines(commands) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		b, err := exec.Command(words[0], words[1:]...).CombinedOutput()
		if err != nil {
			n.T.Fatalf("%s: %s: %v\n%s", n.Name, strings.TrimSpace(line), err, b)
		}
		out.Write(b)
	}
	return out.String()
}

// Get reads a sysctl below /proc/sys/net in n.
func (n *NS) Get(key string) string {
	n.T.Helper()
	n.Enter()
	b, err := os.ReadFile("/proc/sys/net/" + key)
	if err != nil {
		n.T.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// Set writes a sysctl below /proc/sys/net in n.
func (n *NS) Set(key, value string) {
	n.T.Helper()
	n.Enter()
	if err := os.WriteFile("/proc/sys/net/"+key, []byte(value), 0o644); err != nil {
		n.T.Fatal(err)
	}
}

// A Pair is a director's namespace and a neighbour's, joined by a veth pair:
// eth0 (10.0.0.1/24, 2001:db8::1/64, 02:00:00:00:00:01) and net0 (10.0.0.9/24,
// 2001:db8::9/64, 02:00:00:00:00:09).
type Pair struct{ Director, Neighbour *NS }

// NewPair makes the two namespaces, with their links up and addresses usable.
func NewPair(t testing.TB) Pair {
	t.Helper()
	neighbour := New(t, "neighbour")
	director := New(t, "director")
	director.Run(fmt.Sprintf(`
		ip link add name eth0 address 02:00:00:00:00:01 type veth peer name net0 address 02:00:00:00:00:09
		ip link set net0 netns /proc/%d/fd/%d`, os.Getpid(), neighbour.FD))
	Up(neighbour, "net0", "10.0.0.9/24", "2001:db8::9/64")
	Up(director, "eth0", "10.0.0.1/24", "2001:db8::1/64")
	// Until the kernel has seen the carrier, a queue that drops is in place, and
	// IPv6 addresses are not there yet.
	for n, name := range map[*NS]string{neighbour: "net0", director: "eth0"} {
		Eventually(t, name+" is up", func() bool {
			return strings.Contains(n.Run("ip link show "+name), "state UP") && n.Addressed(name, 2)
		})
	}
	return Pair{director, neighbour}
}

// Up gives an interface addresses, without duplicate address detection.
func Up(n *NS, name string, addresses ...string) {
	n.T.Helper()
	n.Set("ipv6/conf/"+name+"/accept_dad", "0")
	n.Set("ipv6/conf/"+name+"/router_solicitations", "0")
	for _, a := range addresses {
		n.Run("ip address add " + a + " dev " + name)
	}
	n.Run("ip link set " + name + " up")
}

// Addressed reports whether an interface has so many IPv6 addresses that can be
// used: the kernel sees to them by and by, whether or not it looks for duplicates.
func (n *NS) Addressed(name string, count int) bool {
	n.T.Helper()
	addresses := n.Run("ip -6 -o address show dev " + name)
	return strings.Count(addresses, "\n") == count && !strings.Contains(addresses, "tentative") &&
		strings.Count(n.Run("ip -6 route show table local type local dev "+name), "\n") == count
}

// Timeout is how long to wait for what must come. The kernel has one lock for
// all namespaces, and sees to links when it gets it: on a machine on which others
// make and destroy many, that takes seconds.
const Timeout = 30 * time.Second

// Eventually waits for a condition that the kernel brings about.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(Timeout); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("not within %v: %s", Timeout, what)
}

// Index returns an interface's index.
func (n *NS) Index(name string) int {
	n.T.Helper()
	n.Enter()
	i, err := net.InterfaceByName(name)
	if err != nil {
		n.T.Fatalf("interface %s: %v", name, err)
	}
	return i.Index
}

// Must ends the test if there is an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
