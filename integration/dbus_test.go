package integration_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// keepalived's names on D-Bus, as its clients use them.
const (
	busName     = "org.keepalived.Vrrp1"
	busRouter   = "/org/keepalived/Vrrp1/Vrrp"
	busOutside  = "/org/keepalived/Vrrp1/Instance/eth0/51/IPv4"
	ifaceRouter = "org.keepalived.Vrrp1.Vrrp"
	ifaceMember = "org.keepalived.Vrrp1.Instance"
)

// A busDirector is a director with a bus of its own.
type busDirector struct {
	*lab.Daemon
	bus *lab.Bus
	dir string // runtime directory
}

func newBusDirector(p *lab.Pair, i int, binary string) *busDirector {
	host := p.Directors[i]
	d := &busDirector{bus: host.Bus("../cmd/holdfast/org.keepalived.Vrrp1.conf"), dir: filepath.Join(p.Dir(), host.Name+"-run")}
	d.Daemon = host.NewDaemon(d.config(priorities[i]))
	d.Own()
	d.Install(binary)
	return d
}

// config announces addresses once, so that what else is announced stands out.
func (d *busDirector) config(priority int) string {
	return fmt.Sprintf("[director.dbus]\nenabled = true\nbus = %q\n", d.bus.Address) + lab.Director{
		Priority: priority, Interval: 5 * fast, Options: `garp = { repeat = 1, delay = "0s" }`,
	}.TOML()
}

// must calls a method that does something.
func (d *busDirector) must(t *testing.T, path, method string) {
	t.Helper()
	if out, err := d.bus.Call(busName, path, method); err != nil {
		t.Errorf("%s: %v\n%s", method, err, out)
	}
}

// property reads a property of an instance as dbus-send shows it, on one line.
func (d *busDirector) property(name string) string {
	out, _ := d.bus.Call(busName, busOutside, "org.freedesktop.DBus.Properties.Get", "string:"+ifaceMember, "string:"+name)
	return strings.Join(strings.Fields(out), " ")
}

func (d *busDirector) awaitProperty(t *testing.T, name, want string) {
	t.Helper()
	lab.Wait(t, 20*time.Second, "property "+name, func() (string, bool) {
		got := d.property(name)
		return got, got == want
	})
}

// heard waits until a monitor has a signal, with what dbus-monitor writes on the
// next line.
func heard(t *testing.T, monitor *lab.Process, path, signal, argument string) {
	t.Helper()
	lab.Wait(t, 20*time.Second, signal+" "+argument, func() (string, bool) {
		lines := strings.Split(monitor.LogText(), "\n")
		for i, line := range lines[:len(lines)-1] {
			if strings.Contains(line, "path="+path+";") && strings.HasSuffix(line, "member="+signal) &&
				strings.HasPrefix(strings.TrimSpace(lines[i+1]), argument) {
				return "", true
			}
		}
		return monitor.LogText(), false
	})
}

// Programs that were written for keepalived's D-Bus interface find its objects,
// properties, methods and signals, also after a failover and a restart of the bus.
func TestDBus(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	binary := p.Tagged("dbus")
	lvs1, lvs2 := newBusDirector(p, 0, binary), newBusDirector(p, 1, binary)
	first, second := lvs1.bus.Monitor(), lvs2.bus.Monitor()
	lvs1.Restart()
	lvs1.AwaitState(t, "MASTER")
	lvs2.Restart()
	lvs2.AwaitState(t, "BACKUP")

	heard(t, first, busRouter, "VrrpStarted", "")
	heard(t, first, busOutside, "VrrpStatusChange", "uint32 2")
	heard(t, first, busOutside, "PropertiesChanged", `string "`+ifaceMember+`"`)
	heard(t, second, busOutside, "VrrpStatusChange", "uint32 1")
	lvs1.awaitProperty(t, "State", "variant struct { uint32 2 Master }")
	lvs2.awaitProperty(t, "State", "variant struct { uint32 1 Backup }")
	lvs1.awaitProperty(t, "Name", "variant struct { outside }")
	lvs1.introspect(t)
	lvs1.policy(t)
	lvs1.garp(t, p.Directors[0].Wires["eth0"])
	if out, err := lvs2.bus.Call(busName, busOutside, ifaceMember+".SendGarp"); err == nil || !strings.Contains(out, "is BACKUP here") {
		t.Errorf("SendGarp of a BACKUP: %v, %s", err, out)
	}
	lvs1.print(t)
	lvs1.reload(t, first)

	lvs2.bus.Crash()
	lab.Wait(t, 20*time.Second, "the loss of the bus in the log", func() (string, bool) {
		return lvs2.LogText(), strings.Contains(lvs2.LogText(), "not on D-Bus; it is tried again")
	})
	lvs2.bus.Start()
	lvs2.awaitProperty(t, "State", "variant struct { uint32 1 Backup }")
	third := lvs2.bus.Monitor()
	lvs1.Stop()
	lvs2.AwaitState(t, "MASTER")
	heard(t, first, busOutside, "VrrpStatusChange", "uint32 98")
	heard(t, first, busRouter, "VrrpStopped", "")
	heard(t, third, busOutside, "VrrpStatusChange", "uint32 2")
	lvs2.awaitProperty(t, "State", "variant struct { uint32 2 Master }")
	if _, stderr, err := lvs2.CLI("upgrade"); err != nil {
		t.Errorf("upgrade: %v, %s", err, stderr)
	}
	heard(t, third, busRouter, "VrrpStarted", "") // by the new binary: the old one came before this monitor
	lvs2.awaitProperty(t, "State", "variant struct { uint32 2 Master }")
	if n := strings.Count(lvs2.LogText(), "not on D-Bus"); n != 1 {
		t.Errorf("the log says %d times that the bus is lost", n)
	}
	lvs2.bus.Freeze()
	if status := lvs2.Stop(); status != 0 { // it waits for nobody for long
		t.Errorf("with a bus that hangs it ended with status %d", status)
	}
}

// introspect goes all the way down, as busctl and d-feet do.
func (d *busDirector) introspect(t *testing.T) {
	t.Helper()
	for path, want := range map[string]string{
		"/":                                   `<node name="org"/>`,
		"/org/keepalived/Vrrp1":               `<node name="Instance"/>`,
		"/org/keepalived/Vrrp1/Instance":      `<node name="eth1"/>`,
		filepath.Dir(busOutside):              `<node name="IPv4"/>`,
		busOutside:                            `<property name="State" type="(us)" access="read"/>`,
		busRouter:                             `<method name="ReloadConfig"/>`,
		filepath.Dir(filepath.Dir(busRouter)): `<node name="Vrrp1"/>`,
	} {
		out, err := d.bus.Call(busName, path, "org.freedesktop.DBus.Introspectable.Introspect")
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("introspect %s: %v, want %s in\n%s", path, err, want, out)
		}
	}
}

// policy is that everybody may look and root alone may do something.
func (d *busDirector) policy(t *testing.T) {
	t.Helper()
	out, err := d.bus.CallAsNobody(busName, busOutside, "org.freedesktop.DBus.Properties.Get", "string:"+ifaceMember, "string:State")
	if err != nil || !strings.Contains(out, "uint32 2") {
		t.Errorf("State as nobody: %v, %s", err, out)
	}
	for path, method := range map[string]string{busOutside: ifaceMember + ".SendGarp", busRouter: ifaceRouter + ".ReloadConfig"} {
		if out, err := d.bus.CallAsNobody(busName, path, method); err == nil || !strings.Contains(out, "AccessDenied") {
			t.Errorf("%s as nobody: %v, %s", method, err, out)
		}
	}
}

// garp looks for the announcements that are asked for on the wire.
func (d *busDirector) garp(t *testing.T, wire *lab.Wire) {
	t.Helper()
	c := wire.CaptureAnnouncements()
	ofVIP := func(f lab.Frame) bool {
		address, mac, ok := f.Announcement()
		return ok && f.FromHost && address == netip.MustParseAddr(lab.VIP) && mac == lab.VirtualMAC(51)
	}
	const each = 2 // a gratuitous request and a reply
	adverts := lab.Advertised(51)
	c.Await(t, 10*time.Second, "adverts", 3, adverts)
	if n := c.Count(ofVIP); n != 0 {
		t.Errorf("%d announcements of which nobody asked", n)
	}
	d.must(t, busOutside, ifaceMember+".SendGarp")
	c.Await(t, 10*time.Second, "the announcement that was asked for", each, ofVIP)
	d.must(t, busRouter, ifaceRouter+".SendGarp")
	c.Await(t, 10*time.Second, "the announcement of everything", 2*each, ofVIP)
	c.Await(t, 10*time.Second, "more adverts", c.Count(adverts)+3, adverts)
	if n := c.Count(ofVIP); n != 2*each {
		t.Errorf("%d announcements, want %d", n, 2*each)
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
}

// print looks at the files that are asked for.
func (d *busDirector) print(t *testing.T) {
	t.Helper()
	document := func(name string) (doc struct{ VRRP []json.RawMessage }) {
		path := filepath.Join(d.dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			return doc
		}
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		return doc
	}
	d.must(t, busRouter, ifaceRouter+".PrintData")
	if doc := document("dbus-data.json"); len(doc.VRRP) != 2 {
		t.Errorf("PrintData: %s", doc.VRRP)
	}
	sent := func() uint64 {
		var v struct {
			Name     string
			Counters struct {
				Sent uint64 `json:"adverts_sent"`
			}
		}
		doc := document("dbus-stats.json")
		if len(doc.VRRP) != 2 || json.Unmarshal(doc.VRRP[0], &v) != nil || v.Name != "outside" {
			t.Errorf("PrintStats: %s", doc.VRRP)
		}
		return v.Counters.Sent
	}
	s, err := d.Status()
	if err != nil {
		t.Fatal(err)
	}
	before := s.VRRP[0].Counters.AdvertsSent
	d.must(t, busRouter, ifaceRouter+".PrintStatsClear")
	at := sent()
	if at < before {
		t.Errorf("PrintStatsClear: %d adverts, before it %d", at, before)
	}
	d.must(t, busRouter, ifaceRouter+".PrintStats")
	s, err = d.Status()
	if err != nil {
		t.Fatal(err)
	}
	if now, since := s.VRRP[0].Counters.AdvertsSent, sent(); since > now-at {
		t.Errorf("PrintStats: %d adverts since there were %d, of %d", since, at, now)
	}
}

// reload applies another configuration, and refuses one that is wrong.
func (d *busDirector) reload(t *testing.T, monitor *lab.Process) {
	t.Helper()
	d.Configure(d.config(0))
	if out, err := d.bus.Call(busName, busRouter, ifaceRouter+".ReloadConfig"); err == nil || !strings.Contains(out, "priority") {
		t.Errorf("a reload of a wrong configuration: %v, %s", err, out)
	}
	d.Configure(strings.Replace(d.config(190), "vrid = 52", "vrid = 53", 1))
	d.must(t, busRouter, ifaceRouter+".ReloadConfig")
	heard(t, monitor, busRouter, "VrrpReloaded", "")
	out, err := d.bus.Call(busName, "/org/keepalived/Vrrp1/Instance/eth1", "org.freedesktop.DBus.Introspectable.Introspect")
	if err != nil || !strings.Contains(out, `"53"`) || strings.Contains(out, `"52"`) {
		t.Errorf("after VrrpReloaded: %v, %s", err, out)
	}
	// Whoever calls the reload that moves the service is answered all the same.
	d.Configure(strings.Replace(d.config(priorities[0]), "enabled = true", "enabled = true\nname = \"org.example.Vrrp\"", 1))
	if out, err := d.bus.Call(busName, busRouter, ifaceRouter+".ReloadConfig"); err != nil {
		t.Errorf("a reload that takes another name: %v, %s", err, out)
	}
	lab.Wait(t, 20*time.Second, "the refusal of the name", func() (string, bool) {
		stdout, _, _ := d.CLI("status", "--json")
		return stdout, strings.Contains(stdout, "take the name org.example.Vrrp")
	})
	d.Configure(d.config(priorities[0]))
	if err := d.Reload(); err != nil {
		t.Error(err)
	}
	d.awaitProperty(t, "State", "variant struct { uint32 2 Master }")
}

// A binary that was built without D-Bus says so, and works.
func TestNoDBus(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	d := p.Directors[0].Holdfast("[director.dbus]\nenabled = true\n" + lab.Director{Priority: 200, Interval: fast}.TOML())
	d.AwaitState(t, "MASTER")
	const complaint = "built without D-Bus"
	if stdout, stderr, err := d.CLI("check"); err != nil || !strings.Contains(stderr, complaint) {
		t.Errorf("check: %v\n%s%s", err, stdout, stderr)
	}
	if stdout, _, err := d.CLI("status"); err == nil || !strings.Contains(stdout, complaint) {
		t.Errorf("status: %v\n%s", err, stdout)
	}
	if !strings.Contains(d.LogText(), complaint) {
		t.Errorf("the log:\n%s", d.LogText())
	}
}
