package packages

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

func TestMain(m *testing.M) {
	if err := lab.Build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// build makes the packages of a version and returns the path of the Debian one.
func build(t *testing.T, version string) string {
	t.Helper()
	root, err := tools.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(buildIn(t, root, version), "holdfast_"+version+"_"+goarch(t)+".deb")
}

// buildIn makes the packages from a tree and returns the folder with them.
func buildIn(t *testing.T, tree, version string) string {
	t.Helper()
	folder := t.TempDir()
	cmd := exec.Command("cmd/holdfast/package/build.sh", nfpm(t), "", folder)
	cmd.Dir, cmd.Env = tree, append(os.Environ(), "VERSION="+version, "SOURCE_DATE_EPOCH=1700000000")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the packages: %v\n%s", err, out)
	}
	return folder
}

var nfpmVersion = regexp.MustCompile(`(?m)^NFPM_VERSION\s*:= (\S+)$`)

// nfpm returns the path of the packager, in the version of the Makefile. make compiles it.
func nfpm(t *testing.T) string {
	t.Helper()
	root, err := tools.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	version := nfpmVersion.FindSubmatch(makefile)
	if version == nil {
		t.Fatalf("no line of the Makefile is as %v", nfpmVersion)
	}
	path, err := tools.Find("nfpm-" + string(version[1]))
	if err != nil {
		tools.Without(t, "packages", fmt.Sprintf("%v, or `make packages`", err))
	}
	return path
}

func goarch(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOARCH").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// install has dpkg install a package.
func (m *machine) install(deb string) {
	m.t.Helper()
	content, err := os.ReadFile(deb)
	if err != nil {
		m.t.Fatal(err)
	}
	m.write("/root/holdfast.deb", "644", content)
	m.run("dpkg", "--install", "/root/holdfast.deb")
}

// configuration is that of a director whose secret is a credential.
func configuration(priority int, secret, scripts string) string {
	return lab.Director{
		Priority: priority, Interval: 100 * time.Millisecond,
		Options: `auth = { type = "hmac", keys = [{ id = 1, secret_file = "` + secret + `" }] }`,
	}.TOML() + scripts
}

const key = "a key of a director that has 40 letters.\n"

// One machine goes through the life of a package: installed, configured, started, broken,
// upgraded, stuck, removed. Another director runs beside it.
func TestDebianPackage(t *testing.T) {
	p := lab.NewPair(t, 2)
	former, next := build(t, "1.0"), build(t, "1.1")
	m := boot(t, p.Directors[0])
	installed(m, former)
	started(m)
	secret := p.WriteFile("key", key)
	if err := os.Chmod(secret, 0o600); err != nil {
		t.Fatal(err)
	}
	other := p.Directors[1].Holdfast(configuration(100, secret, ""))
	other.AwaitState(t, "BACKUP")
	probe := p.Router.Probe(lab.VIP, 2*time.Millisecond)
	probe.AwaitAnswers(t, 20*time.Second, 20)

	step := func(name string, f func(t *testing.T)) {
		t.Helper()
		t.Run(name, func(inner *testing.T) { m.t = inner; f(inner) })
		m.t = t
	}
	step("hardened", func(t *testing.T) { hardened(t, m) })
	step("scripts", func(*testing.T) { scripts(m) })
	step("completion", func(t *testing.T) {
		if names := m.run("holdfast", "__complete", "handover", ""); !strings.Contains(names, "director\n:4") {
			t.Errorf("the shell is offered %q, want the group and no files", names)
		}
	})
	step("refused reload", func(t *testing.T) { refusedReload(t, m) })
	step("upgrade", func(t *testing.T) { upgrade(t, m, next, other) })
	if tally := probe.Stop(); tally.Lost > 0 {
		t.Errorf("until the upgrade was over: %v", tally)
	}
	step("systemd-networkd", func(t *testing.T) { m.fights(t, p, networkd) })
	step("NetworkManager", func(t *testing.T) { m.fights(t, p, networkManager) })
	step("watchdog", func(t *testing.T) { watchdog(t, m, other) })
	step("as root", func(t *testing.T) { asRoot(t, m) })
	step("removal", func(t *testing.T) { removal(t, m, p, other) })
}

// installed installs a package and looks at what it brought. The daemon does not start
// by itself, because there is nothing yet that it could do.
func installed(m *machine, deb string) {
	m.t.Helper()
	m.install(deb)
	for _, user := range []string{"holdfast", "holdfast-script"} {
		m.run("getent", "passwd", user)
	}
	if state, _ := m.try("systemctl", "is-enabled", "holdfast"); strings.TrimSpace(state) != "disabled" {
		m.t.Errorf("after the installation the service is %s", state)
	}
	if active := m.property("ActiveState"); active != "inactive" {
		m.t.Errorf("after the installation the service is %s", active)
	}
	for _, path := range []string{
		"/usr/share/man/man8/holdfast.8.gz", "/usr/share/man/man5/holdfast.toml.5.gz", "/usr/share/doc/holdfast/copyright",
		"/usr/share/bash-completion/completions/holdfast", "/usr/share/doc/holdfast/examples/as-root.conf",
	} {
		m.run("test", "-s", path)
	}
}

// started writes a configuration and starts the service, which becomes MASTER.
func started(m *machine) {
	m.t.Helper()
	m.write("/root/key", "600", []byte(key))
	m.write("/etc/systemd/system/holdfast.service.d/test.conf", "644",
		[]byte("[Service]\nLoadCredential=vrrp-key:/root/key\nWatchdogSec=3s\n"))
	script := "#!/bin/sh\n{ echo \"$@\"; id -un; grep CapEff /proc/self/status; } >/var/said/$1-$3\n"
	m.write("/etc/holdfast/said.sh", "755", []byte(script))
	m.run("install", "-d", "-m", "777", "/var/said")
	head := "[director]\nname = \"lvs1\"\n[director.script]\nuser = \"holdfast-script\"\n"
	m.write("/etc/holdfast/holdfast.toml", "600", []byte(head+configuration(200, "vrrp-key",
		"notify = { any = \"/etc/holdfast/said.sh\" }\n")))
	m.run("systemd-tmpfiles", "--create", "holdfast.conf") // it gives the file to the group of the daemon
	m.run("systemctl", "daemon-reload")
	m.run("holdfast", "check", "-c", "/usr/share/doc/holdfast/examples/holdfast.toml")
	m.run("systemctl", "enable", "--now", "holdfast")
	m.awaitProperty("StatusText", "MASTER of outside, inside")
}

var exposure = regexp.MustCompile(`Overall exposure level for holdfast.service: ([0-9.]+)`)

// hardened checks that the daemon works with the rights of the unit and no others, and
// that they are few.
func hardened(t *testing.T, m *machine) {
	status := m.run("cat", "/proc/"+m.property("MainPID")+"/status")
	const sevenCapabilities = "00000000008034e0"
	for _, line := range []string{
		"CapEff:\t" + sevenCapabilities, "CapBnd:\t" + sevenCapabilities, "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2",
	} {
		if !strings.Contains(status, line) {
			t.Errorf("%q is not in\n%s", line, status)
		}
	}
	if strings.Contains(status, "Uid:\t0") {
		t.Error("the daemon is root")
	}
	if s := statusOf(t, m); !s.Realtime {
		t.Error("the daemon has no real-time priority")
	}
	out := m.run("systemd-analyze", "security", "holdfast.service")
	found := exposure.FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("no exposure in\n%s", out)
	}
	if level, err := strconv.ParseFloat(found[1], 64); err != nil || level > 3.0 {
		t.Errorf("exposure %s, want at most 3.0\n%s", found[1], out)
	}
	for line := range strings.Lines(m.run("systemd-analyze", "verify", "--man=no", "holdfast.service", "holdfast-realserver@192.0.2.1.service")) {
		if strings.Contains(line, "holdfast") && !strings.Contains(line, "Failed to parse service type, ignoring: notify-reload") {
			t.Errorf("systemd-analyze verify: %s", line)
		}
	}
}

type directorStatus struct {
	Software string
	PID      int
	Realtime bool
	VRRP     []struct {
		State string
		Since time.Time
	}
}

func statusOf(t *testing.T, m *machine) (s directorStatus) {
	t.Helper()
	out, _ := m.inside("holdfast", "status", "--json").Output()
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("status: %v\n%s", err, out)
	}
	return s
}

// scripts checks that a script ran as the user for scripts, without capabilities.
func scripts(m *machine) {
	lab.Wait(m.t, 10*time.Second, "the script has run", func() (string, bool) {
		said, _ := m.try("cat", "/var/said/GROUP-MASTER")
		return said, strings.Contains(said, "\nholdfast-script\nCapEff:\t0000000000000000\n")
	})
}

// refusedReload checks that systemctl says so, and that the former configuration runs on.
func refusedReload(t *testing.T, m *machine) {
	m.run("sh", "-c", "cp -p /etc/holdfast/holdfast.toml /root/good; echo nonsense = 1 >>/etc/holdfast/holdfast.toml")
	if out, err := m.try("systemctl", "reload", "holdfast"); err == nil {
		t.Errorf("systemctl reload took a file with an error: %s", out)
	}
	m.awaitProperty("StatusText", "reload refused, the former configuration runs on: ")
	m.run("cp", "-p", "/root/good", "/etc/holdfast/holdfast.toml")
	m.run("systemctl", "reload", "holdfast")
	m.awaitProperty("StatusText", "MASTER of outside, inside")
}

// upgrade has dpkg install another version. The daemon stays the same process, and MASTER.
func upgrade(t *testing.T, m *machine, deb string, other *lab.Daemon) {
	before := statusOf(t, m)
	if before.Software != "1.0" {
		t.Fatalf("version %s", before.Software)
	}
	m.install(deb)
	after := statusOf(t, m)
	if after.Software != "1.1" || after.PID != before.PID || m.property("NRestarts") != "0" {
		t.Errorf("version %s in process %d, before in %d", after.Software, after.PID, before.PID)
	}
	for i := range before.VRRP {
		if before.VRRP[i] != after.VRRP[i] {
			t.Errorf("%+v, before %+v", after.VRRP[i], before.VRRP[i])
		}
	}
	hardened(t, m) // the new binary has the same capabilities
	other.AwaitState(t, "BACKUP")
}

// watchdog stops the process as a kernel that is stuck would. systemd ends it, gives away
// what it has left, and starts it again.
func watchdog(t *testing.T, m *machine, other *lab.Daemon) {
	fed := m.property("WatchdogTimestampMonotonic")
	lab.Wait(t, 10*time.Second, "the new binary feeds the watchdog", func() (string, bool) {
		now := m.property("WatchdogTimestampMonotonic")
		return now, now != fed
	})
	m.run("sh", "-c", "kill -STOP "+m.property("MainPID"))
	other.AwaitState(t, "MASTER")
	lab.Wait(t, 60*time.Second, "systemd starts the daemon again", func() (string, bool) {
		n := m.property("NRestarts")
		return n, n == "1"
	})
	m.awaitProperty("StatusText", "MASTER of outside, inside")
	other.AwaitState(t, "BACKUP")
	journal := m.run("journalctl", "--no-pager", "-u", "holdfast")
	if !strings.Contains(journal, "SIGABRT: abort") { // WatchdogSignal= of systemd
		t.Errorf("not the watchdog has ended the daemon:\n%s", journal)
	}
	if strings.Contains(journal, "secret_file") || strings.Contains(journal, "credential") {
		t.Errorf("release did not find the secrets:\n%s", journal)
	}
}

// removal removes the package: the other director takes over, and no packet is lost.
func removal(t *testing.T, m *machine, p *lab.Pair, other *lab.Daemon) {
	probe := p.Router.Probe(lab.VIP, 2*time.Millisecond)
	probe.AwaitAnswers(t, 20*time.Second, 20)
	m.run("dpkg", "--remove", "holdfast")
	other.AwaitState(t, "MASTER")
	if tally := probe.Stop(); tally.Lost > 0 {
		t.Errorf("while the package was removed: %v", tally)
	}
	m.run("test", "-d", "/var/lib/holdfast")
	m.run("dpkg", "--purge", "holdfast")
	for _, path := range []string{"/var/lib/holdfast", "/run/holdfast", "/etc/systemd/network/00-holdfast.network"} {
		m.run("test", "!", "-e", path)
	}
	m.run("test", "-e", "/etc/holdfast/holdfast.toml") // it was never the package's
}

// The packages of one commit are the same bytes, wherever the tree is.
func TestPackagesAreReproducible(t *testing.T) {
	root, err := tools.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "another", "place")
	if err := os.MkdirAll(elsewhere, 0o755); err != nil {
		t.Fatal(err)
	}
	names := []string{"cmd", "vrrp", "checker", "lvs", "netdev", "conf", "docs", "go.mod", "go.sum", "README.md", "SECURITY.md", "CHANGELOG.md", "LICENSE"}
	copied := exec.Command("cp", append([]string{"-R", "-t", elsewhere}, names...)...) // with other times than here
	copied.Dir = root
	if out, err := copied.CombinedOutput(); err != nil {
		t.Fatalf("copy the tree: %v\n%s", err, out)
	}
	here, there := sums(t, root), sums(t, elsewhere)
	if here != there || strings.Count(here, "\n") != 2 {
		t.Errorf("built here:\n%sbuilt elsewhere:\n%s", here, there)
	}
}

// sums builds the packages in a tree and returns their checksums.
func sums(t *testing.T, tree string) string {
	t.Helper()
	list, err := os.ReadFile(filepath.Join(buildIn(t, tree, "1.0"), "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	return string(list)
}
