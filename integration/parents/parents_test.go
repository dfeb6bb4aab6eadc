package parents_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
	"holdfast/integration/uml"
)

func TestMain(m *testing.M) { uml.Main(m, lab.Build) }

// commands runs ip with each line as its arguments.
func commands(h *lab.Host, lines string) {
	for line := range strings.Lines(lines) {
		if words := strings.Fields(line); len(words) > 0 {
			h.Run("ip", words...)
		}
	}
}

func addressesOn(h *lab.Host, device string, addresses []string) {
	for _, a := range addresses {
		h.Address(device, a)
	}
}

// VLAN interfaces have names with a dot, which sysctl files keep and sysctl
// names do not.
func TestVLAN(t *testing.T) {
	d := lab.NewDuo(t, func(h *lab.Host, s *lab.Switch, addresses ...string) {
		h.Plug(s, "eth0")
		commands(h, `
			link add link eth0 name eth0.100 type vlan id 100
			link set eth0.100 up`)
		addressesOn(h, "eth0.100", addresses)
	})
	for _, h := range d.Directors {
		h.Sysctl("net/ipv4/conf/all/rp_filter", "1")
		h.Sysctl("net/ipv4/conf/eth0.100/rp_filter", "1")
	}
	d.Start(t, "eth0.100", "")
	d.Works(t)
}

// bonded gives a host a bond of two wires, of which one is in use.
func bonded(h *lab.Host, s *lab.Switch, addresses ...string) {
	h.Plug(s, "eth0")
	h.Plug(s, "eth1")
	commands(h, `
		link add bond0 type bond mode active-backup miimon 50
		link set eth0 down
		link set eth1 down
		link set eth0 master bond0
		link set eth1 master bond0
		link set bond0 up`)
	addressesOn(h, "bond0", addresses)
}

func TestBond(t *testing.T) {
	d := lab.NewDuo(t, bonded)
	d.Start(t, "bond0", "")
	d.Works(t)
}

// When a bond turns to its other wire, the director stays MASTER, and the
// switches learn at once where its virtual MACs are now.
func TestBondFailover(t *testing.T) {
	d := lab.NewDuo(t, bonded)
	daemons := d.Start(t, "bond0", "")
	master := d.Directors[0]
	probe := d.Router.Probe(lab.VIP, 10*time.Millisecond)
	probe.AwaitAnswers(t, 20*time.Second, 20)
	for _, turn := range [][2]string{{"eth0", "eth1"}, {"eth1", "eth0"}} {
		from, to := master.Wires[turn[0]], master.Wires[turn[1]]
		wire := to.Capture()
		from.Cut()
		for _, mac := range []lab.MAC{lab.VirtualMAC(51), lab.VirtualMAC6(51)} {
			wire.Await(t, 10*time.Second, "an announcement from "+mac.String(), 1, func(f lab.Frame) bool {
				_, who, ok := f.Announcement()
				return ok && f.FromHost && who == mac
			})
		}
		probe.AwaitAnswers(t, 20*time.Second, 20)
		from.Replug()
		_ = wire.Stop()
		lab.Wait(t, 10*time.Second, turn[0]+" is back in the bond", func() (string, bool) {
			slaves := master.Run("ip", "-d", "link", "show", turn[0])
			return slaves, strings.Contains(slaves, "mii_status UP")
		})
	}
	t.Log(probe.Stop())
	events, err := daemons[0].Events(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events.Transitions() {
		if e.From == "MASTER" {
			t.Errorf("the director was not MASTER all the time: %v", e)
		}
	}
}

// enslave puts an interface into a VRF.
const enslave = `
	link add red type vrf table 100
	link set red up
	link set eth0 master red`

// A parent in a VRF has its virtual addresses in the VRF's tables.
func TestVRF(t *testing.T) {
	for name, options := range map[string]string{"plain": "", "egress": "egress = true\n"} {
		t.Run(name, func(t *testing.T) {
			d := lab.NewDuo(t, func(h *lab.Host, s *lab.Switch, addresses ...string) {
				h.Plug(s, "eth0")
				if h.Name != "router" {
					commands(h, enslave)
				}
				addressesOn(h, "eth0", addresses)
			})
			d.Start(t, "eth0", options)
			d.Works(t)
			if got := d.Directors[1].Run("ip", "link", "show", "vrrp4-51"); !strings.Contains(got, "master red") {
				t.Errorf("the device is not in the VRF: %s", got)
			}
		})
	}
}

// An interface that joins a VRF, or leaves it, takes its virtual router along.
func TestVRFJoined(t *testing.T) {
	d := lab.NewDuo(t, func(h *lab.Host, s *lab.Switch, addresses ...string) { h.Plug(s, "eth0", addresses...) })
	for _, h := range d.Directors { // its IPv6 addresses go otherwise
		h.Sysctl("net/ipv6/conf/eth0/keep_addr_on_down", "1")
	}
	daemons := d.Start(t, "eth0", "")
	probes := []*lab.Probe{d.Router.Probe(lab.VIP, 10*time.Millisecond), d.Router.Probe(lab.VIP6, 10*time.Millisecond)}
	flows := func() {
		t.Helper()
		for _, p := range probes {
			p.AwaitAnswers(t, 20*time.Second, 20)
		}
	}
	flows()
	for _, h := range d.Directors {
		commands(h, enslave)
		flows()
	}
	daemons[0].AwaitState(t, "MASTER")
	daemons[1].AwaitState(t, "BACKUP")
	for _, h := range d.Directors {
		commands(h, "link set eth0 nomaster")
		flows()
	}
	daemons[0].AwaitState(t, "MASTER")
	daemons[1].AwaitState(t, "BACKUP")
	for _, p := range probes {
		t.Log(p.Stop())
	}
}

// Sessions of BFD in a VRF, by the interface in it and by the VRF itself, beside
// one outside of it at the same port.
func TestVRFWithBFD(t *testing.T) {
	d := lab.NewDuo(t, func(h *lab.Host, s *lab.Switch, addresses ...string) {
		h.Plug(s, "eth0")
		commands(h, enslave)
		addressesOn(h, "eth0", addresses)
		h.Plug(s, "eth1", strings.Replace(addresses[0], "10.0.0.", "10.1.0.", 1))
	})
	var daemons []*lab.Daemon
	for i, h := range d.Directors {
		other := 3 - i // .2 and .3
		text := fmt.Sprintf("[[vrrp]]\nname = \"four\"\ninterface = \"eth0\"\nvrid = 51\naddresses = [%q]\n", lab.VIP+"/24")
		text += fmt.Sprintf("[[bfd]]\nname = \"inside\"\nneighbour = \"10.0.0.%d\"\ninterface = \"eth0\"\nmultiplier = 10\n", other)
		text += fmt.Sprintf("[[bfd]]\nname = \"inside6\"\nneighbour = \"2001:db8:a::%d\"\ninterface = \"red\"\nmultiplier = 10\n", other)
		text += fmt.Sprintf("[[bfd]]\nname = \"outside\"\nneighbour = \"10.1.0.%d\"\nmultiplier = 10\n", other)
		daemons = append(daemons, h.Holdfast(text))
	}
	for _, one := range daemons {
		lab.Wait(t, time.Minute, "all sessions are up", func() (string, bool) {
			var s struct {
				BFD struct {
					Sessions []struct {
						Name, State, Trouble string
						Dropped              map[string]uint64
					}
				}
			}
			err := one.StatusInto(&s)
			up := 0
			for _, k := range s.BFD.Sessions {
				if k.State == "Up" {
					up++
				}
			}
			return fmt.Sprintf("%+v %v", s, err), up == 3
		})
	}
}

// Directors in a VRF watch each other with fast, in both families.
func TestVRFWithFast(t *testing.T) {
	d := lab.NewDuo(t, func(h *lab.Host, s *lab.Switch, addresses ...string) {
		h.Plug(s, "eth0")
		commands(h, enslave)
		addressesOn(h, "eth0", addresses)
	})
	var daemons []*lab.Daemon
	for i, h := range d.Directors {
		text := "[director.fast]\nmin_tx = \"100ms\"\nmin_rx = \"100ms\"\n"
		for _, r := range [][2]string{{"four", fmt.Sprintf("%q", lab.VIP+"/24")}, {"six", fmt.Sprintf(`"fe80::5e:51", %q`, lab.VIP6+"/64")}} {
			text += fmt.Sprintf("[[vrrp]]\nname = %q\ninterface = \"eth0\"\nvrid = 51\npriority = %d\ninterval = \"2s\"\nfast = true\naddresses = [%s]\n", r[0], 200-50*i, r[1])
		}
		daemons = append(daemons, h.Holdfast(text))
		daemons[i].AwaitState(t, []string{"MASTER", "BACKUP"}[i])
	}
	lab.Wait(t, 30*time.Second, "both virtual routers of the BACKUP are armed", func() (string, bool) {
		stdout, _, err := daemons[1].CLI("status", "vrrp")
		return fmt.Sprint(stdout, err), strings.Count(stdout, "fast: armed with ") == 2
	})
	d.Directors[0].PowerCut()
	daemons[1].AwaitState(t, "MASTER")
	all, err := daemons[1].Events(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all.Of("instance") {
		if e.To == "MASTER" && !strings.Contains(e.Reason, "its BFD session timed out") {
			t.Errorf("%s took over because: %s", e.Subject, e.Reason)
		}
	}
}
