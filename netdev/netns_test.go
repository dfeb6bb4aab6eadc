package netdev

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"holdfast/integration/tools"

	"golang.org/x/sys/unix"
)

// A ns is a network namespace of a test. The test's goroutine is locked to its
// thread and never unlocked, so the thread ends with the test and leaves no
// other goroutine in a strange namespace.
type ns struct {
	t    testing.TB
	name string
	fd   int
}

// newNS makes a namespace and enters it.
func newNS(t testing.TB, name string) *ns {
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
	n := &ns{t, name, fd}
	n.run("ip link set lo up")
	return n
}

// enter makes n the namespace of the test's thread.
func (n *ns) enter() {
	n.t.Helper()
	if err := unix.Setns(n.fd, unix.CLONE_NEWNET); err != nil {
		n.t.Fatalf("enter namespace %s: %v", n.name, err)
	}
}

// run runs commands, one a line, in n and returns what they print.
func (n *ns) run(commands string) string {
	n.t.Helper()
	n.enter()
	var out strings.Builder
	for line := range strings.Lines(commands) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		b, err := exec.Command(words[0], words[1:]...).CombinedOutput()
		if err != nil {
			n.t.Fatalf("%s: %s: %v\n%s", n.name, strings.TrimSpace(line), err, b)
		}
		out.Write(b)
	}
	return out.String()
}

// get reads a sysctl below /proc/sys/net in n.
func (n *ns) get(key string) string {
	n.t.Helper()
	n.enter()
	v, err := readSysctl(key)
	if err != nil {
		n.t.Fatal(err)
	}
	return v
}

func (n *ns) set(key, value string) {
	n.t.Helper()
	n.enter()
	if err := writeSysctl(key, value); err != nil {
		n.t.Fatal(err)
	}
}

// pair is a director's namespace and a neighbour's, joined by a veth pair:
// eth0 (10.0.0.1/24, 2001:db8::1/64, 02:00:00:00:00:01) and net0 (10.0.0.9/24,
// 2001:db8::9/64, 02:00:00:00:00:09).
type pair struct{ director, neighbour *ns }

func newPair(t testing.TB) pair {
	t.Helper()
	neighbour := newNS(t, "neighbour")
	director := newNS(t, "director")
	director.run(fmt.Sprintf(`
		ip link add name eth0 address 02:00:00:00:00:01 type veth peer name net0 address 02:00:00:00:00:09
		ip link set net0 netns /proc/%d/fd/%d`, os.Getpid(), neighbour.fd))
	up(neighbour, "net0", "10.0.0.9/24", "2001:db8::9/64")
	up(director, "eth0", "10.0.0.1/24", "2001:db8::1/64")
	// Until the kernel has seen the carrier, a queue that drops is in place, and
	// IPv6 addresses are not there yet.
	for n, name := range map[*ns]string{neighbour: "net0", director: "eth0"} {
		eventually(t, name+" is up", func() bool {
			return strings.Contains(n.run("ip link show "+name), "state UP") && n.addressed(name, 2)
		})
	}
	return pair{director, neighbour}
}

// up gives an interface addresses, without duplicate address detection.
func up(n *ns, name string, addresses ...string) {
	n.t.Helper()
	n.set(confKey("ipv6", name, "accept_dad"), "0")
	n.set(confKey("ipv6", name, "router_solicitations"), "0")
	for _, a := range addresses {
		n.run("ip address add " + a + " dev " + name)
	}
	n.run("ip link set " + name + " up")
}

// addressed reports whether an interface has so many IPv6 addresses that can be
// used: the kernel sees to them by and by, whether or not it looks for duplicates.
func (n *ns) addressed(name string, count int) bool {
	n.t.Helper()
	addresses := n.run("ip -6 -o address show dev " + name)
	return strings.Count(addresses, "\n") == count && !strings.Contains(addresses, "tentative") &&
		strings.Count(n.run("ip -6 route show table local type local dev "+name), "\n") == count
}

// patience is how long to wait for what must come. The kernel has one lock for
// all namespaces, and sees to links when it gets it: on a machine on which others
// make and destroy many, that takes seconds.
const patience = 30 * time.Second

// eventually waits for a condition that the kernel brings about.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("not within %v: %s", patience, what)
}
