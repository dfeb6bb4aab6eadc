package packages

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// A manager is a program that configures interfaces, and that the administrator lets
// configure all of them.
type manager struct {
	name, unit string
	// files are its configuration by path. It leaves the interfaces alone that the lab has
	// configured, and takes every other one. Their mode is that of the programs that read them.
	files map[string]string
	mode  string
	// cure is the path of the file with which our package keeps it away.
	cure string
	// list prints what it says of each interface, and unmanaged matches the line of the
	// outside virtual MAC if it leaves that alone.
	list      []string
	unmanaged *regexp.Regexp
	// heed has it read its files again.
	heed []string
	// generates says that it turns the generation of link-local addresses back to the
	// kernel's default when it stops, for interfaces that it does not manage.
	generates bool
	// again has it configure the outside virtual MAC again.
	again []string
}

var networkd = manager{
	name: "systemd-networkd", unit: "systemd-networkd",
	files: map[string]string{
		"/etc/systemd/network/10-eth.network": "[Match]\nName=eth*\n[Link]\nUnmanaged=yes\n",
		"/etc/systemd/network/50-all.network": "[Match]\nName=*\n[Network]\nLinkLocalAddressing=no\nAddress=198.51.100.1/32\n",
	},
	mode: "644",
	cure: "/etc/systemd/network/00-holdfast.network",
	list: []string{"networkctl", "list", "--no-pager", "--no-legend"}, unmanaged: regexp.MustCompile(`vrrp4-51 .* unmanaged`),
	heed:  []string{"systemctl", "restart", "systemd-networkd"},
	again: []string{"networkctl", "reconfigure", "vrrp4-51"},
}

var networkManager = manager{
	name: "NetworkManager", unit: "NetworkManager",
	files: map[string]string{
		"/etc/NetworkManager/conf.d/10-eth.conf":                   "[keyfile]\nunmanaged-devices=interface-name:eth*\n",
		"/etc/NetworkManager/system-connections/lo.nmconnection":   "[connection]\nid=lo\ntype=loopback\ninterface-name=lo\n[ipv4]\nmethod=manual\naddress1=198.51.100.1/32\n",
		"/etc/NetworkManager/system-connections/vrrp.nmconnection": "[connection]\nid=vrrp\ntype=macvlan\ninterface-name=vrrp4-51\n[macvlan]\nparent=eth0\nmode=2\n[ipv4]\nmethod=manual\naddress1=198.51.100.1/32\n[ipv6]\nmethod=disabled\n",
	},
	mode: "600", // others it does not read
	cure: "/etc/NetworkManager/conf.d/holdfast.conf",
	list: []string{"nmcli", "-t", "device"}, unmanaged: regexp.MustCompile(`vrrp4-51:macvlan:unmanaged`),
	heed:      []string{"systemctl", "reload", "NetworkManager"},
	generates: true,
	again:     []string{"nmcli", "connection", "up", "vrrp"},
}

// fights restarts a manager beside the MASTER. With the file of the package, or with the
// cure that the doctor names, it touches nothing of ours. Without them the doctor warns,
// and what the manager takes away is back within a second. Mastership stays in any case.
func (m *machine) fights(t *testing.T, p *lab.Pair, g manager) {
	before := statusOf(t, m)
	for path, text := range g.files {
		m.write(path, g.mode, []byte(text))
	}
	m.run("systemctl", "enable", "--now", g.unit) // with its name on the bus
	m.untouched(t, p, g, "with the package's file")
	m.run("mv", g.cure, "/root/cure")
	warning := m.warns(t, g)
	if warning == nil {
		t.Fatalf("the doctor does not warn of %s", g.name)
	}
	m.run("systemctl", "restart", g.unit)
	m.awaitManaged(t, g, true)
	m.repaired(t, p, g)
	command, _, _ := strings.Cut(warning.Cure, " (with the names")
	m.run("sh", "-c", command)
	if w := m.warns(t, g); w == nil || !strings.Contains(w.What, "manages vrrp4-51") {
		t.Errorf("before %s has read the file, the doctor says: %+v", g.name, w)
	}
	m.run(g.heed[0], g.heed[1:]...)
	m.awaitManaged(t, g, false)
	m.untouched(t, p, g, "with the doctor's cure")
	m.run("mv", "/root/cure", g.cure)
	m.run("systemctl", "disable", "--now", g.unit)
	after := statusOf(t, m)
	for i := range before.VRRP {
		if before.VRRP[i] != after.VRRP[i] {
			t.Errorf("%s: %+v, before %+v", g.name, after.VRRP[i], before.VRRP[i])
		}
	}
}

// repaired has the manager take the address away.
func (m *machine) repaired(t *testing.T, p *lab.Pair, g manager) {
	t.Helper()
	probe := p.Router.Probe(lab.VIP, 2*time.Millisecond)
	probe.AwaitAnswers(t, 20*time.Second, 20)
	m.run(g.again[0], g.again[1:]...)
	lab.Wait(t, 10*time.Second, "the address is repaired", func() (string, bool) {
		events := m.run("holdfast", "events")
		return events, strings.Contains(events, "repair vrrp4-51: add address "+lab.VIP+"/24")
	})
	probe.AwaitAnswers(t, 10*time.Second, 100)
	tally := probe.Stop()
	t.Logf("%s without a cure: %v", g.name, tally)
	if tally.Worst().Duration() > time.Second {
		t.Errorf("%s without a cure: %v", g.name, tally)
	}
}

// untouched restarts a manager that is kept away from our devices.
func (m *machine) untouched(t *testing.T, p *lab.Pair, g manager, when string) {
	t.Helper()
	if w := m.warns(t, g); w != nil {
		t.Errorf("%s, the doctor says: %s", when, w.What)
	}
	monitor := p.Directors[0].Start("ip", "-d", "-o", "monitor", "link", "address", "route")
	loopback := func() int { return strings.Count(monitor.LogText(), "lo    inet ") }
	configured := loopback() // the log is that of all monitors
	probe := p.Router.Probe(lab.VIP, 2*time.Millisecond)
	probe.AwaitAnswers(t, 20*time.Second, 20)
	m.run("systemctl", "restart", g.unit)
	m.awaitManaged(t, g, false)
	lab.Wait(t, 10*time.Second, "the monitor sees what "+g.name+" does", func() (string, bool) {
		return monitor.LogText(), loopback() > configured
	})
	if tally := probe.Stop(); tally.Lost > 0 {
		t.Errorf("%s %s: %v", g.name, when, tally)
	}
	monitor.Stop()
	for line := range strings.Lines(monitor.LogText()) {
		if strings.Contains(line, "vrrp4-") && !(g.generates && stillUp.MatchString(line)) {
			t.Errorf("%s touched our device %s: %s", g.name, when, line)
		}
	}
	lab.Wait(t, 10*time.Second, "the kernel makes no addresses of its own", func() (string, bool) {
		link := p.Directors[0].Run("ip", "-d", "link", "show", "dev", "vrrp4-51")
		return link, strings.Contains(link, "addrgenmode none")
	})
}

// stillUp is the message about a link of a MASTER that the monitor prints when nothing that
// it prints has changed.
var stillUp = regexp.MustCompile(`^\d+: vrrp4-\d+@eth\d: <BROADCAST,MULTICAST,UP,LOWER_UP> .* state UP .* alias holdfast `)

// awaitManaged waits until the manager has decided whether it manages our device.
func (m *machine) awaitManaged(t *testing.T, g manager, managed bool) {
	t.Helper()
	lab.Wait(t, 20*time.Second, g.name+" has decided", func() (string, bool) {
		out, _ := m.try(g.list[0], g.list[1:]...)
		settled := strings.Contains(out, "vrrp4-51") && !strings.Contains(out, "pending") && !strings.Contains(out, "initialized")
		return out, settled && g.unmanaged.MatchString(out) != managed
	})
}

type warning struct{ Diagnosis, What, Cure string }

// warns returns what the doctor says of a manager, nil if nothing.
func (m *machine) warns(t *testing.T, g manager) *warning {
	t.Helper()
	out, _ := m.inside("holdfast", "doctor", "--json").Output() // it fails if it finds anything
	var report struct{ Findings []warning }
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("doctor: %v\n%s", err, out)
	}
	for _, f := range report.Findings {
		if strings.HasPrefix(f.What, g.name+" runs") {
			return &f
		}
	}
	return nil
}
