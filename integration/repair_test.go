package integration_test

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
)

// A damage is what somebody else does to a director's devices.
type damage struct {
	name  string
	do    func(t *testing.T, h *lab.Host)
	whole func(h *lab.Host) (string, bool) // whether it is undone
	// lossless: the damage must not cost a packet.
	lossless bool
}

func vmacDevice(t *testing.T, h *lab.Host) netlink.Link {
	t.Helper()
	link, err := h.Link().LinkByName("vrrp4-51")
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func deleteVIP(t *testing.T, h *lab.Host) {
	t.Helper()
	vip := &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(lab.VIP).To4(), Mask: net.CIDRMask(24, 32)}}
	if err := h.Link().AddrDel(vmacDevice(t, h), vip); err != nil {
		t.Fatal(err)
	}
}

func deleteDevice(t *testing.T, h *lab.Host) {
	t.Helper()
	if err := h.Link().LinkDel(vmacDevice(t, h)); err != nil {
		t.Fatal(err)
	}
}

func downDevice(t *testing.T, h *lab.Host) {
	t.Helper()
	if err := h.Link().LinkSetDown(vmacDevice(t, h)); err != nil {
		t.Fatal(err)
	}
}

// deviceServes reports whether the device is up with the VIP.
func deviceServes(h *lab.Host) (string, bool) {
	out, err := h.Try("ip", "addr", "show", "dev", "vrrp4-51")
	return out, err == nil && strings.Contains(out, lab.VIP+"/24") && strings.Contains(out, ",UP")
}

// turnBack sets a setting that holdfast has changed to what it was.
func turnBack(path, value string, lossless bool) damage {
	d := turnBackBy(path, value, func(_ *testing.T, h *lab.Host) { h.Sysctl(path, value) })
	d.lossless = lossless
	return d
}

func turnBackBy(path, value string, set func(t *testing.T, h *lab.Host)) damage {
	var wanted string
	return damage{
		name: path,
		do: func(t *testing.T, h *lab.Host) {
			t.Helper()
			if wanted = sysctl(h, path); wanted == value {
				t.Fatalf("%s is %s already: the test tests nothing", path, value)
			}
			set(t, h)
		},
		whole: func(h *lab.Host) (string, bool) {
			now := sysctl(h, path)
			return now, now == wanted
		},
	}
}

// turnBackByNetlink changes an IPv4 setting, by its number in ip.h, with a message about
// the link.
func turnBackByNetlink(device, setting string, number int, value uint32) damage {
	d := turnBackBy("net/ipv4/conf/"+device+"/"+setting, strconv.Itoa(int(value)), func(t *testing.T, h *lab.Host) {
		t.Helper()
		link, err := h.Link().LinkByName(device)
		if err != nil {
			t.Fatal(err)
		}
		request := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
		message := nl.NewIfInfomsg(unix.AF_UNSPEC)
		message.Index = int32(link.Attrs().Index)
		request.AddData(message)
		spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
		const inetConf = 1 // IFLA_INET_CONF
		spec.AddRtAttr(unix.AF_INET, nil).AddRtAttr(inetConf, nil).AddRtAttr(number, nl.Uint32Attr(value))
		request.AddData(spec)
		err = h.Do(func() error {
			_, err := request.Execute(unix.NETLINK_ROUTE, 0)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	d.name += " by netlink"
	return d
}

// turnBackThroughOtherMount writes through another mount of /proc than the director's.
func turnBackThroughOtherMount(path, value string) damage {
	d := turnBackBy(path, value, func(_ *testing.T, h *lab.Host) {
		h.Run("unshare", "-m", "sh", "-c", "mount -t proc proc /proc && echo "+value+" >/proc/sys/"+path)
	})
	d.name += " through another mount"
	return d
}

func sysctl(h *lab.Host, path string) (value string) {
	err := h.Do(func() error {
		text, err := os.ReadFile("/proc/sys/" + path)
		value = strings.TrimSpace(string(text))
		return err
	})
	if err != nil {
		return err.Error()
	}
	return value
}

var damages = []damage{
	{name: "VIP deleted", do: deleteVIP, whole: deviceServes},
	{name: "macvlan deleted", do: deleteDevice, whole: deviceServes},
	{name: "macvlan down", do: downDevice, whole: deviceServes},
	{name: "addresses flushed", whole: deviceServes, do: func(_ *testing.T, h *lab.Host) {
		h.Run("ip", "addr", "flush", "dev", "vrrp4-51")
	}},
	{name: "macvlan renamed", whole: deviceServes, do: func(_ *testing.T, h *lab.Host) {
		// All at once; even so holdfast may repair a part before the rest is done.
		_, _ = h.Try("sh", "-c", `printf 'link set vrrp4-51 down\nlink set vrrp4-51 name mine\nlink set mine up\n' | ip -batch -`)
	}},
	{name: "macvlan moved to another namespace", whole: deviceServes, do: func(t *testing.T, h *lab.Host) {
		// A namespace that ends takes its macvlans with it.
		ours := h.Run("readlink", "/proc/self/ns/net")
		holder := h.Start("unshare", "--net", "sleep", "60")
		lab.Wait(t, 5*time.Second, "a namespace", func() (string, bool) {
			theirs := h.Run("readlink", fmt.Sprintf("/proc/%d/ns/net", holder.Pid()))
			return theirs, theirs != ours
		})
		h.Run("ip", "link", "set", "vrrp4-51", "netns", strconv.Itoa(holder.Pid()))
		holder.Crash()
	}},
	{name: "MAC address changed", do: func(_ *testing.T, h *lab.Host) {
		h.Run("ip", "link", "set", "vrrp4-51", "address", "02:00:00:00:00:77")
	}, whole: func(h *lab.Host) (string, bool) {
		out, ok := deviceServes(h)
		return out, ok && strings.Contains(out, lab.VirtualMAC(51).String())
	}},
	{name: "ARP off", do: func(_ *testing.T, h *lab.Host) {
		h.Run("ip", "link", "set", "vrrp4-51", "arp", "off")
	}, whole: func(h *lab.Host) (string, bool) {
		out, ok := deviceServes(h)
		return out, ok && !strings.Contains(out, "NOARP")
	}},
	turnBack("net/ipv4/conf/eth0/arp_ignore", "0", true),
	turnBack("net/ipv4/conf/vrrp4-51/rp_filter", "1", false), // drops what comes to the VIP
	turnBack("net/ipv4/conf/vrrp4-51/arp_announce", "0", true),
	turnBack("net/ipv6/conf/vrrp4-51/disable_ipv6", "0", true),
	turnBackByNetlink("vrrp4-51", "arp_ignore", 19, 0),
	turnBackByNetlink("eth0", "arp_announce", 18, 0),
	turnBackThroughOtherMount("net/ipv4/conf/eth0/arp_announce", "0"),
	turnBackThroughOtherMount("net/ipv4/conf/vrrp4-51/drop_gratuitous_arp", "0"),
}

// Whatever somebody else changes is repaired soon. The MASTER stays MASTER and
// reports the repair.
func TestRepairs(t *testing.T) {
	p := lab.NewPair(t, 2)
	for _, which := range []string{"all", "default", "eth0", "eth1"} {
		p.Directors[0].Sysctl("net/ipv4/conf/"+which+"/rp_filter", "1")
	}
	daemons := directors(t, p, lab.Director{})
	for _, c := range damages {
		t.Run(c.name, func(t *testing.T) {
			probe := p.Router.Probe(lab.VIP, time.Millisecond)
			probe.AwaitAnswers(t, 20*time.Second, 20)
			macs := watchMACs(p, false)
			own, others := mark(t, daemons[0]), mark(t, daemons[1])
			began := time.Now()
			c.do(t, p.Directors[0])
			lab.Wait(t, repaired, "repair", func() (string, bool) { return c.whole(p.Directors[0]) })
			t.Logf("repaired within %v", time.Since(began).Round(time.Millisecond))
			probe.AwaitAnswers(t, 20*time.Second, 20)
			adverts(t, p.Directors[0], 5)

			tally := probe.Stop()
			t.Logf("%v", tally)
			if worst := tally.Worst().Duration(); worst > time.Second {
				t.Errorf("the VIP was away for %v", worst)
			}
			if c.lossless && tally.Lost > 0 {
				t.Errorf("%d packets lost", tally.Lost)
			}
			stayed(t, "the MASTER", daemons[0], own)
			stayed(t, "the BACKUP", daemons[1], others)
			if told := events(t, daemons[0], own).Of("repair"); len(told) == 0 {
				t.Errorf("no event of the repair:\n%v", events(t, daemons[0], own))
			}
			delete(macs.entries, "rs1 "+lab.DIP) // nobody has asked for it here
			delete(macs.entries, "rs2 "+lab.DIP)
			macs.check(t)
		})
	}
}

// With so many devices that a look at all of them is due only every two seconds, a
// sysctl is still restored within one second.
func TestRepairsSysctlsOfMany(t *testing.T) {
	const n = 250
	l := lab.New(t)
	director := l.Host("lvs1")
	director.Plug(l.Switch("wire"), "eth0", "10.0.0.2/16")
	var config strings.Builder
	for vrid := 1; vrid <= n; vrid++ {
		fmt.Fprintf(&config, "[[vrrp]]\nname = \"v%d\"\ninterface = \"eth0\"\nvrid = %d\ninterval = \"1s\"\naddresses = [\"10.0.1.%d/16\"]\n",
			vrid, vrid, vrid)
	}
	daemon := director.Holdfast(config.String())
	lab.Wait(t, 30*time.Second, "MASTER", func() (string, bool) {
		out, _, _ := daemon.CLI("status")
		return out, strings.Count(out, "MASTER") >= n
	})
	began := mark(t, daemon)
	damages := []damage{turnBack("net/ipv4/conf/eth0/arp_announce", "0", true)}
	for i, name := range []string{"arp_ignore", "arp_announce", "drop_gratuitous_arp", "promote_secondaries"} {
		damages = append(damages, turnBack(fmt.Sprintf("net/ipv4/conf/vrrp4-%d/%s", 1+i*80, name), "0", true))
	}
	for i, name := range []string{"accept_local", "arp_filter", "proxy_arp", "arp_accept"} {
		damages = append(damages, turnBack(fmt.Sprintf("net/ipv4/conf/vrrp4-%d/%s", 2+i*80, name), "1", true))
	}
	damages = append(damages, turnBackByNetlink("eth0", "arp_announce", 18, 0),
		turnBackByNetlink("vrrp4-1", "arp_ignore", 19, 0), turnBackByNetlink("vrrp4-250", "arp_announce", 18, 0))
	slow := 0
	for _, c := range damages {
		start := time.Now()
		c.do(t, director)
		lab.Wait(t, 10*time.Second, c.name, func() (string, bool) { return c.whole(director) })
		took := time.Since(start)
		t.Logf("%s: repaired within %v", c.name, took.Round(time.Millisecond))
		if took > time.Second {
			slow++
		}
	}
	if slow > len(damages)/3 { // a busy machine is slow now and then
		t.Errorf("%d of %d sysctls were away for more than a second", slow, len(damages))
	}
	if told := events(t, daemon, began).Of("repair"); len(told) < len(damages) {
		t.Errorf("%d sysctls were turned back, and the events are:\n%v", len(damages), told)
	}
}

// repaired is the time within which a reported change is repaired, on a busy machine
// too. It is half of the time after which it would be repaired without a report.
const repaired = 5 * time.Second

// A BACKUP's device is made again too, and stays down.
func TestRepairsBackup(t *testing.T) {
	p := lab.NewPair(t, 2)
	daemons := directors(t, p, lab.Director{})
	v := keepVigil(t, p)
	capture := p.Directors[1].Wires["eth0"].Capture()
	deleteDevice(t, p.Directors[1])
	lab.Wait(t, repaired, "repair", func() (string, bool) {
		out, err := p.Directors[1].Try("ip", "link", "show", "dev", "vrrp4-51")
		return out, err == nil
	})
	p.Directors[1].Run("ip", "link", "set", "vrrp4-51", "up")
	lab.Wait(t, repaired, "repair", func() (string, bool) {
		out := p.Directors[1].Run("ip", "link", "show", "dev", "vrrp4-51")
		return out, !strings.Contains(out, ",UP")
	})
	adverts(t, p.Directors[0], 5)
	if n := capture.Count(lab.SentFrom(lab.VirtualMAC(51))); n > 0 {
		t.Errorf("%d frames from the BACKUP's virtual MAC", n)
	}
	// It is good for the real thing.
	obeyed(t, daemons[0], "handover")
	daemons[1].AwaitState(t, "MASTER")
	v.end(t)
}

// A MASTER that cannot restore its addresses hands over, and returns when it can.
func TestHandsOverWhatCannotBeRepaired(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	daemons := directors(t, p, lab.Director{})
	director := p.Directors[0]
	// Two macvlans of one interface cannot be up with one MAC address.
	director.Run("ip", "link", "add", "theirs", "link", "eth0", "address", lab.VirtualMAC(51).String(), "type", "macvlan", "mode", "bridge")
	probe := p.Router.Probe(lab.VIP, time.Millisecond)
	probe.AwaitAnswers(t, 20*time.Second, 20)
	// holdfast is quick.
	director.Run("sh", "-c", "until printf 'link del vrrp4-51\nlink set theirs up\n' | ip -batch -; do sleep 0.05; done")
	daemons[1].AwaitState(t, "MASTER")
	lab.Wait(t, 5*time.Second, "a fault that says why", func() (string, bool) {
		out, _, _ := daemons[0].CLI("status")
		return out, strings.Contains(out, "FAULT") && strings.Contains(out, "already in use")
	})
	probe.AwaitAnswers(t, 5*time.Second, 20)
	director.Run("ip", "link", "del", "theirs")
	daemons[0].AwaitState(t, "MASTER")
	probe.AwaitAnswers(t, 5*time.Second, 20)
	tally := probe.Stop()
	t.Logf("%v", tally)
	if worst := tally.Worst().Duration(); worst > 4*fast+time.Second {
		t.Errorf("the VIP was away for %v", worst)
	}
}
