package integration_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"holdfast/integration/lab"
)

// A pairing is one way in which holdfast and another program run a virtual
// router together. Several of a kind share the wire, as virtual routers do.
type pairing struct {
	name    string
	version int
	vrid    byte
	ipv6    bool
	plain   [2]bool // no virtual MAC: holdfast, the other
	unicast bool
	group   string   // if not the usual one
	hops    int      // with unicast: the hop limit of the other's adverts
	mine    string   // further lines of holdfast's
	theirs  []string // and of the other's
}

// The virtual address that the test looks at.
func (c pairing) vip() string {
	if c.ipv6 {
		return fmt.Sprintf("2001:db8:a::%d", c.vrid)
	}
	return fmt.Sprintf("10.0.0.%d", c.vrid)
}

// addresses are all of it, with their lengths.
func (c pairing) addresses() []string {
	if c.ipv6 {
		return []string{fmt.Sprintf("fe80::5e:%d/64", c.vrid), c.vip() + "/64"}
	}
	return []string{c.vip() + "/24"}
}

func (c pairing) virtualMAC() lab.MAC {
	if c.ipv6 {
		return lab.VirtualMAC6(c.vrid)
	}
	return lab.VirtualMAC(c.vrid)
}

// own is the address that a director's adverts come from on the outside.
func own(director *lab.Host, ipv6 bool) string {
	if ipv6 {
		return linkLocal(director.Wires["eth0"].MAC)
	}
	return map[string]string{"lvs1": "10.0.0.2", "lvs2": "10.0.0.3"}[director.Name]
}

// advert matches the adverts that the wire's host sends for it.
func (c pairing) advert(f lab.Frame) bool {
	a, ok := f.Advert()
	return ok && f.FromHost && a.VRID == c.vrid && a.Source.Is6() == c.ipv6 && c.unicast == (f.Destination()[0]&1 == 0) &&
		(c.group == "" || destination(f) == c.group)
}

// A contest is holdfast on lvs1 and another program on lvs2 with the same
// virtual routers. All of them move alike.
type contest struct {
	t          *testing.T
	p          *lab.Pair
	pairings   []pairing
	priorities [2]int
	preempt    [2]bool
	program    string
	mine       *lab.Daemon
	theirs     *lab.Process
	probes     map[string]*lab.Probe
	macs       map[string]*lab.NeighbourWatch
}

const (
	us   = 0
	them = 1
)

func (c *contest) startUs() {
	var out strings.Builder
	for _, v := range c.pairings {
		mac, unicast := "vrrp", ""
		if v.plain[us] {
			mac = "interface"
		}
		if v.unicast {
			unicast = fmt.Sprintf("unicast = true\npeers = [{ address = %q, min_ttl = %d }]\n", own(c.p.Directors[them], v.ipv6), v.hops)
		}
		fmt.Fprintf(&out, "[[vrrp]]\nname = %q\ninterface = \"eth0\"\nvrid = %d\nversion = %d\npriority = %d\ninterval = %q\npreempt = %v\nmac = %q\naddresses = [\"%s\"]\n%s%s\n",
			v.name, v.vrid, v.version, c.priorities[us], peerInterval(v.version), c.preempt[us], mac, strings.Join(v.addresses(), `", "`), unicast, v.mine)
	}
	if c.mine == nil {
		c.mine = c.p.Directors[us].NewDaemon(out.String())
	}
	c.mine.Restart()
}

func (c *contest) startThem() {
	host := c.p.Directors[them]
	var routers []lab.VirtualRouter
	for i, v := range c.pairings {
		r := lab.VirtualRouter{
			Name: fmt.Sprintf("VI_%d", i), Version: v.version, Interface: "eth0", VRID: int(v.vrid), Priority: c.priorities[them],
			Interval: peerInterval(v.version), Addresses: v.addresses(), VMAC: !v.plain[them],
			NoPreempt: !c.preempt[them], Lines: slices.Clone(v.theirs),
		}
		if v.unicast {
			r.Lines = append(r.Lines, "unicast_src_ip "+own(host, v.ipv6), fmt.Sprintf("unicast_peer {\n\t\t%s\n\t}", own(c.p.Directors[us], v.ipv6)))
			if r.VMAC {
				r.Lines = append(r.Lines, "vmac_xmit_base")
			}
		}
		routers = append(routers, r)
	}
	if c.program == "FRR" {
		// Otherwise every device answers for the addresses of all of them.
		host.Sysctl("net/ipv4/conf/all/arp_ignore", "1")
		c.theirs = host.FRR(routers...)
		return
	}
	c.theirs = host.Keepalived(lab.KeepalivedConfig(false, routers...))
}

func (c *contest) start(who int) {
	c.t.Helper()
	if who == us {
		c.startUs()
		return
	}
	c.startThem()
}

// die takes a director's power away, and what its kernel had from it.
func (c *contest) die(who int) {
	c.t.Helper()
	host := c.p.Directors[who]
	host.PowerCut()
	if who == us {
		obeyed(c.t, c.mine, "release")
		return
	}
	links, err := host.Link().LinkList()
	if err != nil {
		c.t.Fatal(err)
	}
	for _, link := range links {
		if link.Type() == "macvlan" {
			err = host.Link().LinkDel(link)
		} else if link.Attrs().Name == "eth0" {
			err = c.removeAddresses(host, link)
		}
		if err != nil {
			c.t.Fatalf("clean up %s: %v", link.Attrs().Name, err)
		}
	}
}

func (c *contest) removeAddresses(host *lab.Host, link netlink.Link) error {
	addresses, err := host.Link().AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		for _, v := range c.pairings {
			for _, virtual := range v.addresses() {
				if strings.HasPrefix(virtual, a.IP.String()+"/") {
					if err := host.Link().AddrDel(link, &a); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

func (c *contest) comeBack(who int) {
	c.t.Helper()
	c.p.Directors[who].PowerOn()
	c.start(who)
}

func (c *contest) stop(who int) {
	c.t.Helper()
	if who == us {
		if status := c.mine.Stop(); status != 0 {
			c.t.Errorf("exit status %d", status)
		}
		return
	}
	c.theirs.Stop()
}

// serves fails the test unless one director alone is MASTER of everything: it
// alone sends adverts, the router has its MAC address, traffic is answered, and
// holdfast knows it and has dropped nothing.
func (c *contest) serves(who int, step string) {
	c.t.Helper()
	states := [2]string{"MASTER", "BACKUP"}
	if c.mine != nil && c.mine.Alive() {
		c.mine.AwaitState(c.t, states[who])
	}
	mine, other := c.p.Directors[who].Wires["eth0"].Capture(), c.p.Directors[1-who].Wires["eth0"].Capture()
	for _, v := range c.pairings {
		c.t.Run(step+"/"+v.name, func(t *testing.T) {
			heard, since := 0, 0
			lab.Wait(t, 20*time.Second, "adverts of "+c.p.Directors[who].Name+" alone", func() (string, bool) {
				n := mine.Count(v.advert)
				if o := other.Count(v.advert); o != heard {
					heard, since = o, n
				}
				return fmt.Sprintf("%d in a row, %d of the other", n-since, heard), n-since >= 2+v.version%2
			})
			want := v.virtualMAC()
			if v.plain[who] {
				want = c.p.Directors[who].Wires["eth0"].MAC
			}
			c.probes[v.name].AwaitAnswers(t, 20*time.Second, 10)
			lab.Wait(t, 5*time.Second, fmt.Sprintf("%s is at %v", v.vip(), want), func() (string, bool) {
				mac, ok := c.p.Router.Neighbour(v.vip())
				return mac.String(), ok && mac == want
			})
		})
	}
	for _, capture := range []*lab.Capture{mine, other} {
		if err := capture.Stop(); err != nil {
			c.t.Errorf("capture: %v", err)
		}
	}
	if c.mine != nil && c.mine.Alive() {
		accepted(c.t, c.mine)
	}
}

// complaint matches what other programs say of adverts that they do not like,
// and of those of a lower priority, which they say that they discard.
var (
	complaint = regexp.MustCompile(`(?i)invalid|mismatch|bogus|wrong|discard|incorrect|malformed|drop|but this VRRP instance has`)
	harmless  = regexp.MustCompile(`received lower priority|Discarding advertisement from \S+ \(100 <=? 200 `)
)

// run leads the two programs through everything that can happen to them.
func (c *contest) run(first int) {
	c.t.Helper()
	names := [2]string{"holdfast", c.program}
	second := 1 - first
	c.probes, c.macs = map[string]*lab.Probe{}, map[string]*lab.NeighbourWatch{}
	// keepalived and FRR leave it to the administrator that the virtual MAC
	// stays the only one that neighbours learn.
	c.p.Directors[them].Sysctl("net/ipv4/conf/eth0/arp_announce", "2")
	for _, v := range c.pairings {
		c.macs[v.name] = c.p.Router.WatchNeighbour(v.vip())
		c.probes[v.name] = c.p.Router.Probe(v.vip(), 10*time.Millisecond)
	}
	c.start(first)
	c.serves(first, names[first]+" alone")

	c.start(second)
	master := first
	// The second is the preferred one.
	if c.preempt[second] {
		master = second
	}
	c.serves(master, names[second]+" comes")

	gone := master
	c.die(gone)
	master = 1 - gone
	c.serves(master, names[gone]+" dies")

	c.comeBack(gone)
	if gone == second && c.preempt[gone] {
		master = gone
	}
	c.serves(master, names[gone]+" returns")

	c.stop(master)
	c.serves(1-master, names[master]+" stops")

	for _, v := range c.pairings {
		tally := c.probes[v.name].Stop()
		c.t.Logf("%s: %v", v.name, tally)
		watch := c.macs[v.name]
		if err := watch.Err(); err != nil {
			c.t.Error(err)
		}
		if n := watch.Changes(); n > 0 && !v.plain[us] && !v.plain[them] {
			c.t.Errorf("%s: its MAC address changed %d times: %v", v.name, n, watch)
		}
	}
	for line := range strings.Lines(c.theirs.LogText()) {
		if complaint.MatchString(line) && !harmless.MatchString(line) {
			c.t.Errorf("%s says: %s", c.program, strings.TrimSpace(line))
		}
	}
}

var interop = map[string][]pairing{
	"keepalived v2": {
		{name: "v2", vrid: 51, version: 2},
		{name: "v2-password", vrid: 52, version: 2, mine: `auth = { type = "password", secret = "swordfsh" }`,
			theirs: []string{"authentication {\n\t\tauth_type PASS\n\t\tauth_pass swordfsh\n\t}"}},
		{name: "v2-AH", vrid: 53, version: 2, mine: `auth = { type = "ah", secret = "swordfsh" }`,
			theirs: []string{"authentication {\n\t\tauth_type AH\n\t\tauth_pass swordfsh\n\t}"}},
		{name: "v2-unicast", vrid: 54, version: 2, unicast: true, hops: 255},
		{name: "v2-without", vrid: 55, version: 2, plain: [2]bool{true, true}},
		{name: "v2-unicast-without", vrid: 56, version: 2, plain: [2]bool{true, true}, unicast: true, hops: 255},
		{name: "v2-ours-alone", vrid: 57, version: 2, plain: [2]bool{false, true}},
		{name: "v2-group-and-source", vrid: 60, version: 2, group: "224.0.0.77", mine: `multicast = "224.0.0.77"` + "\nsource = \"10.0.0.2\"",
			theirs: []string{"mcast_src_ip 10.0.0.3", "mcast_dst_ip 224.0.0.77"}},
		{name: "v2-password-unicast", vrid: 58, version: 2, unicast: true, hops: 255, mine: `auth = { type = "password", secret = "swordfsh" }`,
			theirs: []string{"authentication {\n\t\tauth_type PASS\n\t\tauth_pass swordfsh\n\t}"}},
		{name: "v2-AH-unicast", vrid: 59, version: 2, unicast: true, hops: 255, mine: `auth = { type = "ah", secret = "swordfsh" }`,
			theirs: []string{"authentication {\n\t\tauth_type AH\n\t\tauth_pass swordfsh\n\t}"}},
	},
	"keepalived v3 without virtual MAC": {
		{name: "v3", vrid: 51, version: 3, plain: [2]bool{true, true}},
		{name: "v3-IPv6", vrid: 52, version: 3, ipv6: true, plain: [2]bool{true, true}},
		{name: "v3-unicast", vrid: 53, version: 3, plain: [2]bool{true, true}, unicast: true, hops: 255},
		// Over IPv6, keepalived's adverts by unicast have the hop limit of any
		// other packet. With a virtual MAC it cannot do it: its macvlan has the
		// interface's link-local address too and answers for it, so that its
		// peers' adverts go to the virtual MAC, which is the MASTER's.
		{name: "v3-IPv6-unicast", vrid: 54, version: 3, ipv6: true, plain: [2]bool{true, true}, unicast: true, hops: 64},
		{name: "v3-IPv6-unicast-ours", vrid: 57, version: 3, ipv6: true, plain: [2]bool{false, true}, unicast: true, hops: 64},
		{name: "v3-ours", vrid: 55, version: 3, plain: [2]bool{false, true}},
		{name: "v3-IPv6-ours", vrid: 56, version: 3, ipv6: true, plain: [2]bool{false, true}},
	},
	"keepalived v3 with virtual MAC of its own": {
		{name: "v3", vrid: 51, version: 3, plain: [2]bool{true, false}},
		{name: "v3-IPv6", vrid: 52, version: 3, ipv6: true, plain: [2]bool{true, false}},
	},
	"keepalived v3": {
		{name: "v3", vrid: 51, version: 3},
		{name: "v3-IPv6", vrid: 52, version: 3, ipv6: true},
		{name: "v3-unicast", vrid: 53, version: 3, unicast: true, hops: 255},
	},
	"keepalived v3 by another group": {
		{name: "v3-group-and-source", vrid: 51, version: 3, group: "224.0.0.77", mine: `multicast = "224.0.0.77"` + "\nsource = \"10.0.0.2\"",
			theirs: []string{"mcast_src_ip 10.0.0.3", "mcast_dst_ip 224.0.0.77"}},
	},
	// FRR complains of adverts of another version, though of another VRID.
	"FRR v2": {{name: "v2", vrid: 51, version: 2}},
	"FRR v3": {
		{name: "v3", vrid: 51, version: 3},
		{name: "v3-IPv6", vrid: 53, version: 3, ipv6: true},
	},
}

// holdfast beside keepalived and FRR: each as MASTER and as BACKUP. Each takes over
// from the other when that one dies and when it stops, and each comes back.
func TestInterop(t *testing.T) {
	t.Parallel()
	for name, pairings := range interop {
		program, _, _ := strings.Cut(name, " ")
		for _, preferred := range []int{us, them} {
			t.Run(fmt.Sprintf("%s/%s preferred", name, [2]string{"holdfast", program}[preferred]), func(t *testing.T) {
				t.Parallel()
				newContest(t, program, pairings, preferred, [2]bool{true, true}).run(1 - preferred)
			})
		}
	}
}

// A router without preemption stays BACKUP when it comes, and stays MASTER once it
// is.
func TestInteropWithoutPreemption(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"keepalived", "FRR"} {
		pairings := interop[program+" v3"]
		for who, name := range []string{"holdfast", program} {
			t.Run(fmt.Sprintf("%s does not preempt %s", name, [2]string{program, "holdfast"}[who]), func(t *testing.T) {
				t.Parallel()
				preempt := [2]bool{true, true}
				preempt[who] = false
				newContest(t, program, pairings, who, preempt).run(1 - who)
			})
		}
	}
}

func newContest(t *testing.T, program string, pairings []pairing, preferred int, preempt [2]bool) *contest {
	t.Helper()
	c := &contest{t: t, p: lab.NewPair(t, 2), program: program, pairings: pairings, preempt: preempt, priorities: [2]int{100, 100}}
	c.priorities[preferred] = 200
	return c
}
