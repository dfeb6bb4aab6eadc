package netdev

import (
	"log/slog"
	"net"
	"os/exec"
	"testing"
	"time"

	"holdfast/netdev/internal/testns"
	"holdfast/netdev/rtnl"
	"holdfast/netdev/sysctl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// setByNetlink sets an IPv4 sysctl of an interface as no file in /proc is written.
func setByNetlink(t *testing.T, n *testns.NS, name, setting string, value uint32) {
	t.Helper()
	index := n.Index(name)
	c, err := rtnl.Dial()
	testns.Must(t, err)
	defer c.Close()
	r := linkRequest(unix.RTM_SETLINK, 0, index, 0, 0)
	spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	conf := spec.AddRtAttr(unix.AF_INET, nil).AddRtAttr(iflaInetConf, nil)
	conf.AddRtAttr(places4[setting]+1, nl.Uint32Attr(value))
	r.AddData(spec)
	for _, err := range c.Do([]*nl.NetlinkRequest{r}) {
		testns.Must(t, err)
	}
}

// setElsewhere writes a sysctl through another mount of /proc.
func setElsewhere(t *testing.T, n *testns.NS, key, value string) {
	t.Helper()
	n.Enter()
	out, err := exec.Command("unshare", "-m", "sh", "-c",
		"mount -t proc proc /proc && echo "+value+" >"+sysctl.Root+"/"+key).CombinedOutput()
	if err != nil {
		t.Fatalf("set %s through another mount: %v\n%s", key, err, out)
	}
}

// What somebody sets by netlink the kernel tells of while the interface is up, and
// otherwise when it comes up.
func TestSettingsByNetlink(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4())
	testns.Must(t, h.Claim("vrrp4-51"))
	aWatch(t, h, slog.New(slog.DiscardHandler))
	events := watch(t, p.Director, nil)
	await(t, events, "resync")
	damage := func(what string) Event {
		t.Helper()
		for timeout := time.After(testns.Timeout); ; {
			select {
			case e := <-events:
				if h.Concerns(e) == Damage {
					return e
				}
			case <-timeout:
				t.Fatalf("no event of %s", what)
			}
		}
	}
	for name, setting := range map[string]string{"vrrp4-51": "arp_ignore", "eth0": "arp_announce"} {
		setByNetlink(t, p.Director, name, setting, 0)
		e := damage(setting)
		if did := reconcile(p.Director, h); len(did) != 1 {
			t.Errorf("%s of %s was set to 0, and the repairs are %v", setting, name, did)
		}
		if c := h.Concerns(e); c != Nothing {
			t.Errorf("what has been put right is of concern %v", c)
		}
	}
	setByNetlink(t, p.Director, "eth0", "arp_ignore", 2) // does as well
	setByNetlink(t, p.Director, "eth0", "proxy_arp", 1)  // none of our business
	testns.Must(t, h.Release("vrrp4-51"))
	setByNetlink(t, p.Director, "vrrp4-51", "rp_filter", 1)
	testns.Must(t, h.Claim("vrrp4-51"))
	if e := damage("what was set before the claim"); e.Name != "vrrp4-51" || !e.Admin {
		t.Errorf("the event of the claim is %+v", e)
	}
}

// knock sends a packet.
func knock(t *testing.T, address string) {
	t.Helper()
	c, err := net.Dial("udp", address)
	testns.Must(t, err)
	defer c.Close()
	_, err = c.Write([]byte("hello"))
	testns.Must(t, err)
}

// A glance sees whatever a look would make something of, and nothing else.
func TestGlance(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	p.Director.Run("ip link add name other type veth peer name another")
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4(), spec6())
	testns.Must(t, h.Claim("vrrp4-51"))
	run := func(command string) func() { return func() { p.Director.Run(command) } }
	for _, change := range []struct {
		name string
		do   func()
		same bool
	}{
		{"nothing", func() {}, true},
		{"traffic", func() { p.Neighbour.Enter(); knock(t, "10.0.0.100:9") }, true},
		{"a sysctl by netlink", func() { setByNetlink(t, p.Director, "vrrp4-51", "arp_ignore", 0) }, false},
		{"a sysctl of a bare device", func() { setByNetlink(t, p.Director, "vrrp6-51", "arp_ignore", 0) }, false},
		{"a sysctl through another mount", func() { setElsewhere(t, p.Director, "ipv4/conf/eth0/arp_announce", "0") }, false},
		{"the filter of all", func() { setElsewhere(t, p.Director, "ipv4/conf/all/rp_filter", "1") }, false},
		{"a sysctl of IPv6", func() { setElsewhere(t, p.Director, "ipv6/conf/vrrp6-51/accept_ra", "1") }, false},
		{"an alias", run("ip link set vrrp4-51 alias holdfast"), false},
		{"a device down", run("ip link set vrrp4-51 down"), false},
		{"an address gone", run("ip address del 10.0.0.100/24 dev vrrp4-51"), false},
		{"an address of the parent", run("ip address add 10.0.7.1/24 dev eth0"), false},
		{"a name", run("ip link set other name third"), false},
		{"an interface gone", run("ip link del third"), false},
		{"an order", func() { testns.Must(t, h.Release("vrrp4-51")) }, false},
	} {
		p.Director.Enter()
		for deadline := time.Now().Add(testns.Timeout); !h.unchanged(); {
			reconcile(p.Director, h)
			if time.Now().After(deadline) {
				t.Fatalf("before %s: never content", change.name)
			}
		}
		change.do()
		p.Director.Enter()
		if same := h.unchanged(); same != change.same {
			t.Errorf("%s: unchanged is %v", change.name, same)
		}
	}
}
