package servers_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// A machine is where a server runs: the host's /usr, /etc and /var with the
// fetched packages laid over them and the files of the test on top. Nothing that
// the server writes reaches the host. Programs have their usual paths.
//
// A machine has two addresses of its own, so that servers listen on their usual
// ports. Tests run at the same time.
type machine struct {
	t       *testing.T
	address netip.Addr // IPv4
	v6      netip.Addr
	dir     string
	server  *exec.Cmd     // nil: not started
	ended   chan struct{} // closed when the server has ended
}

// addresses counts the machines.
var addresses atomic.Uint32

// newMachine lets the test run in parallel with others.
func newMachine(t *testing.T) *machine {
	t.Helper()
	tools.Root(t, "make a machine of namespaces")
	t.Parallel()
	n := byte(addresses.Add(1))
	m := &machine{t: t, dir: t.TempDir()}
	m.address = netip.AddrFrom4([4]byte{192, 0, 2, n})
	m.v6 = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: n})
	for _, address := range []netip.Addr{m.address, m.v6} {
		if err := addAddress(address); err != nil {
			t.Fatalf("add address %v: %v", address, err)
		}
	}
	m.endWithTest()
	return m
}

// beside returns a machine with the same addresses for a client of m, with files and a
// root of its own.
func (m *machine) beside() *machine {
	m.t.Helper()
	other := &machine{t: m.t, address: m.address, v6: m.v6, dir: m.t.TempDir()}
	other.endWithTest()
	return other
}

// endWithTest stops what runs on the machine when the test ends.
func (m *machine) endWithTest() {
	m.t.Cleanup(func() {
		m.stop()
		if m.t.Failed() {
			m.t.Logf("what the server said:\n%s", m.log())
		}
	})
}

// addAddress makes an address local.
func addAddress(a netip.Addr) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	network := &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
	if err := netlink.AddrAdd(lo, &netlink.Addr{IPNet: network, Flags: unix.IFA_F_NODAD}); err != nil || a.Is6() {
		return err
	}
	return netlink.RouteReplace(&netlink.Route{
		LinkIndex: lo.Attrs().Index, Dst: network, Src: director.AsSlice(),
		Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST,
	})
}

// addressed puts the addresses of the machine in the place of ADDRESS6 and ADDRESS.
func (m *machine) addressed(text string) string {
	return strings.NewReplacer("ADDRESS6", m.v6.String(), "ADDRESS", m.address.String()).Replace(text)
}

// file writes a file of the machine, whose text is addressed. Call it before start.
func (m *machine) file(path, text string, mode os.FileMode) {
	m.t.Helper()
	place := filepath.Join(m.dir, "files", path)
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(place, []byte(m.addressed(text)), mode); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Chmod(place, mode); err != nil { // despite the umask
		m.t.Fatal(err)
	}
}

// users adds accounts with groups of the same name, as a package does when it is
// installed.
func (m *machine) users(names ...string) {
	m.t.Helper()
	for file, line := range map[string]string{"/etc/passwd": "%s:x:%d:%[2]d::/:/bin/false\n", "/etc/group": "%s:x:%d:\n"} {
		text, err := os.ReadFile(file)
		if err != nil {
			m.t.Fatal(err)
		}
		for i, name := range names {
			if !strings.Contains("\n"+string(text), "\n"+name+":") {
				text = fmt.Appendf(text, line, name, 700+i)
			}
		}
		m.file(file, string(text), 0o644)
	}
}

// assemble makes the root of the machine and runs the server there. Its
// arguments are the folder of the fetched packages, that of the test, and the
// command.
const assemble = `set -e
packages=$1 dir=$2
shift 2
` + lab.AssembleRoot + `if [ -d "$dir/files" ]; then cp -R "$dir/files/." .; fi
exec chroot . "$@"
`

// start runs a server in the foreground, in process and mount namespaces of its
// own.
func (m *machine) start(command ...string) {
	m.t.Helper()
	if err := os.RemoveAll(filepath.Join(m.dir, "root")); err != nil {
		m.t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(m.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		m.t.Fatal(err)
	}
	defer log.Close()
	packages := filepath.Join(tools.Cache(), "root")
	if _, err := os.Stat(packages); err != nil {
		m.t.Fatalf("%v (run `make tools`)", err)
	}
	cmd := exec.Command("/bin/sh", append([]string{"-c", assemble, "sh", packages, m.dir}, command...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG=C.UTF-8", "HOME=/root"}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID, Setsid: true}
	if err := cmd.Start(); err != nil {
		m.t.Fatalf("start %s: %v", command[0], err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	m.server, m.ended = cmd, ended
}

// listens waits until the server accepts connections on TCP ports.
func (m *machine) listens(ports ...uint16) {
	m.t.Helper()
	for _, port := range ports {
		to := netip.AddrPortFrom(m.address, port).String()
		lab.Wait(m.t, 20*time.Second, "a server on "+to, func() (string, bool) {
			if !m.alive() {
				m.t.Fatalf("the server has ended: %v", m.server.ProcessState)
			}
			conn, err := net.DialTimeout("tcp", to, time.Second)
			if err != nil {
				return err.Error(), false
			}
			conn.Close()
			return "", true
		})
	}
}

func (m *machine) alive() bool {
	select {
	case <-m.ended:
		return false
	default:
		return true
	}
}

// stop kills the server. It does nothing if there is none.
func (m *machine) stop() {
	if m.server == nil {
		return
	}
	// The kernel kills the other processes of the namespace with the first.
	_ = m.server.Process.Kill()
	<-m.ended
	m.server = nil
}

// freeze stops every process of the server: its kernel accepts connections, and
// nobody answers. thaw lets them run again.
func (m *machine) freeze() { m.signal(unix.SIGSTOP) }
func (m *machine) thaw()   { m.signal(unix.SIGCONT) }

func (m *machine) signal(signal syscall.Signal) {
	m.t.Helper()
	pids, err := m.processes()
	if err != nil || len(pids) == 0 {
		m.t.Fatalf("the processes of the server: %v: %v", pids, err)
	}
	for _, pid := range pids {
		if err := unix.Kill(pid, signal); err != nil && err != unix.ESRCH {
			m.t.Fatalf("send %v to process %d: %v", signal, pid, err)
		}
	}
}

// processes returns the processes of the server's namespace.
func (m *machine) processes() ([]int, error) {
	own, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", m.server.Process.Pid))
	if err != nil {
		return nil, err
	}
	entries, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, entry := range entries {
		if namespace, err := os.Readlink(entry); err != nil || namespace != own {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(entry, "/")[2]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// inside returns the path by which the test reaches a file of the machine whose server
// runs.
func (m *machine) inside(path string) string {
	return fmt.Sprintf("/proc/%d/root%s", m.server.Process.Pid, path)
}

// whole returns all that the server said.
func (m *machine) whole() string {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.dir, "log"))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(text)
}

// log returns the end of what the server said.
func (m *machine) log() string {
	const enough = 8000
	text := m.text()
	return text[max(0, len(text)-enough):]
}

// text returns all that the server said.
func (m *machine) text() string {
	text, err := os.ReadFile(filepath.Join(m.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}
