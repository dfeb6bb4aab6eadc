package packages

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// A machine is a host of the lab with a systemd of its own.
type machine struct {
	t    *testing.T
	init int // the process of its systemd
	log  *lab.Process
}

// debian returns a clean Debian root, which is made once.
func debian(t *testing.T) string {
	t.Helper()
	root := filepath.Join(tools.Cache(), "debian")
	if out, err := exec.Command("../tools/debian.sh", root).CombinedOutput(); err != nil {
		tools.Without(t, "packages", fmt.Sprintf("make a Debian root: %v\n%s", err, out))
	}
	return root
}

// boot starts systemd on a host.
func boot(t *testing.T, host *lab.Host) *machine {
	t.Helper()
	script, err := filepath.Abs("boot.sh")
	if err != nil {
		t.Fatal(err)
	}
	group := controlGroup(t)
	p := host.Start("sh", script, debian(t), group)
	m := &machine{t: t, log: p}
	lab.Wait(t, 30*time.Second, "systemd is up", func() (string, bool) {
		if !p.Alive() {
			t.Fatalf("the machine did not start; see %s", p.Log)
		}
		if m.init == 0 {
			m.init = systemdBelow(p.Pid())
			return "no systemd", false
		}
		out, err := m.try("systemctl", "is-system-running")
		state := strings.TrimSpace(out)
		return fmt.Sprint(state, err), state == "running" || state == "degraded"
	})
	return m
}

// controlGroup returns the path of a control group to be made, and removes it at the end.
func controlGroup(t *testing.T) string {
	t.Helper()
	top := "/sys/fs/cgroup"
	if _, err := os.Stat(filepath.Join(top, "cgroup.procs")); err != nil {
		top = filepath.Join(top, "unified") // version 1 beside version 2
	}
	if _, err := os.Stat(filepath.Join(top, "cgroup.procs")); err != nil {
		tools.Without(t, "packages", "there are no control groups of version 2 (mount cgroup2 at /sys/fs/cgroup or /sys/fs/cgroup/unified)")
	}
	group := filepath.Join(top, fmt.Sprintf("holdfast-test-%d", os.Getpid()))
	t.Cleanup(func() { removeGroup(t, group) })
	return group
}

// removeGroup ends what runs in a control group, and removes it.
func removeGroup(t *testing.T, group string) {
	if _, err := os.Stat(group); err != nil {
		return // the machine was not started
	}
	if err := os.WriteFile(filepath.Join(group, "cgroup.kill"), []byte("1"), 0); err != nil {
		t.Errorf("end the machine: %v", err)
	}
	lab.Wait(t, 10*time.Second, "the machine has ended", func() (string, bool) {
		out, err := exec.Command("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+").CombinedOutput()
		return string(out), err == nil
	})
}

// systemdBelow returns the child of a process that is systemd; 0 if there is none yet.
func systemdBelow(pid int) int {
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0
	}
	for _, child := range strings.Fields(string(list)) {
		name, err := os.ReadFile(filepath.Join("/proc", child, "comm"))
		if n, number := strconv.Atoi(child); err == nil && number == nil && string(name) == "systemd\n" {
			return n
		}
	}
	return 0
}

// inside returns a command of the machine.
func (m *machine) inside(program string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--target", strconv.Itoa(m.init), "--all", "env", "-i",
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", program}, args...)...)
}

// try runs a program on the machine and returns what it said.
func (m *machine) try(program string, args ...string) (string, error) {
	out, err := m.inside(program, args...).CombinedOutput()
	return string(out), err
}

// run is try for what must not fail.
func (m *machine) run(program string, args ...string) string {
	m.t.Helper()
	out, err := m.try(program, args...)
	if err != nil {
		journal, _ := m.try("journalctl", "--no-pager", "-u", "holdfast", "-n", "30")
		m.t.Fatalf("%s %s: %v\n%s\n%s", program, strings.Join(args, " "), err, out, journal)
	}
	return strings.TrimSpace(out)
}

// write makes a file on the machine.
func (m *machine) write(path, mode string, content []byte) {
	m.t.Helper()
	cmd := m.inside("install", "-D", "-m", mode, "/dev/stdin", path)
	cmd.Stdin = bytes.NewReader(content)
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("write %s: %v\n%s", path, err, out)
	}
}

// property returns a property of the daemon's unit.
func (m *machine) property(name string) string {
	m.t.Helper()
	return m.run("systemctl", "show", "--value", "--property", name, "holdfast")
}

// awaitProperty waits until a property of the daemon's unit contains a text.
func (m *machine) awaitProperty(name, text string) {
	m.t.Helper()
	lab.Wait(m.t, 30*time.Second, name+" is "+text, func() (string, bool) {
		now := m.property(name)
		return now, strings.Contains(now, text)
	})
}
