package packages

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// rootResources are a unit of systemd, a file system by its OCF agent, and an init script.
// The user of the sandbox can start none of them.
const rootResources = `
[[group.resource]]
name = "unit"
type = "systemd"
unit = "job"
retries = 0
[[group.resource]]
name = "storage"
type = "ocf"
agent = "heartbeat:Filesystem"
params = { device = "tmpfs", directory = "/srv/data", fstype = "tmpfs" }
retries = 0
[[group.resource]]
name = "script"
type = "lsb"
script = "job"
retries = 0
`

// asRoot runs resources with the sandbox of the unit, where they fail and status says
// what is missing, and then with the drop-in of the package that lifts it.
func asRoot(t *testing.T, m *machine) {
	agents(m)
	m.write("/etc/systemd/system/job.service", "644", []byte("[Service]\nExecStart=/bin/sleep infinity\n"))
	m.write("/etc/init.d/job", "755", []byte("#!/bin/sh\ncase $1 in start) touch /etc/job;; stop) rm -f /etc/job;; status) test -e /etc/job || exit 3;; esac\n"))
	m.write("/root/resources", "600", []byte(rootResources))
	m.run("sh", "-c", "install -d /srv/data; systemctl daemon-reload; cat /root/resources >>/etc/holdfast/holdfast.toml; systemctl reload holdfast")
	awaitResources(t, m, "failed")
	if text, _ := m.try("holdfast", "status"); strings.Count(text, "the daemon is not root, which most resources need: see as-root.conf") != 3 {
		t.Errorf("status:\n%s", text)
	}

	const dropIn = "/etc/systemd/system/holdfast.service.d/as-root.conf"
	m.run("cp", "/usr/share/doc/holdfast/examples/as-root.conf", dropIn)
	m.run("sh", "-c", "systemctl daemon-reload && systemctl restart holdfast")
	m.awaitProperty("StatusText", "MASTER of outside, inside")
	rootRights(t, m)
	awaitResources(t, m, "started")
	const running = "systemctl is-active job; grep -c ' /srv/data tmpfs ' /proc/mounts; ls /etc/job"
	if out, err := m.try("sh", "-c", running); err != nil || out != "active\n1\n/etc/job\n" {
		t.Errorf("what runs: %v\n%s", err, out)
	}
	m.run("systemctl", "stop", "holdfast")
	if out, _ := m.try("sh", "-c", running); !strings.HasPrefix(out, "inactive\n0\nls: ") {
		t.Errorf("what runs after the stop:\n%s", out)
	}
	m.run("rm", dropIn)
	m.run("cp", "-p", "/root/good", "/etc/holdfast/holdfast.toml")
	m.run("sh", "-c", "systemctl daemon-reload && systemctl start holdfast")
	m.awaitProperty("StatusText", "MASTER of outside, inside")
	hardened(t, m)
}

// rootRights checks that the drop-in has lifted the sandbox.
func rootRights(t *testing.T, m *machine) {
	status := m.run("cat", "/proc/"+m.property("MainPID")+"/status")
	for _, line := range []string{"Uid:\t0\t0\t0\t0", "NoNewPrivs:\t0", "Seccomp:\t0"} {
		if !strings.Contains(status, line) {
			t.Errorf("%q is not in\n%s", line, status)
		}
	}
	if strings.Contains(status, "CapBnd:\t00000000008034e0") {
		t.Error("the capabilities are still bounded")
	}
}

// awaitResources waits until all resources are in a state.
func awaitResources(t *testing.T, m *machine, state string) {
	t.Helper()
	lab.Wait(t, 30*time.Second, "every resource is "+state, func() (string, bool) {
		out, _ := m.inside("holdfast", "status", "--json").Output()
		var s struct {
			Resources []struct{ Name, State, Problem string }
		}
		err := json.Unmarshal(out, &s)
		all := len(s.Resources) == 3
		for _, r := range s.Resources {
			all = all && r.State == state
		}
		return fmt.Sprint(s, err), err == nil && all
	})
}

// agents copies Debian's resource agents to the machine.
func agents(m *machine) {
	m.t.Helper()
	root := filepath.Join(tools.Cache(), "root")
	pack := exec.Command("tar", "-C", root, "-c", "usr/lib/ocf/lib/heartbeat", "usr/lib/ocf/resource.d/heartbeat/Filesystem")
	unpack := m.inside("tar", "-C", "/", "-x")
	var err error
	if unpack.Stdin, err = pack.StdoutPipe(); err != nil {
		m.t.Fatal(err)
	}
	if err := pack.Start(); err != nil {
		tools.Without(m.t, "packages", err)
	}
	out, err := unpack.CombinedOutput()
	if packed := pack.Wait(); err != nil || packed != nil {
		m.t.Fatalf("copy the agents: %v, %v\n%s", packed, err, out)
	}
	m.run("ln", "-s", "which.debianutils", "/usr/bin/which")        // of an alternative, which nobody has set up
	m.write("/usr/bin/fuser", "755", []byte("#!/bin/sh\nexit 1\n")) // the agent wants one; nobody uses the file system
}
