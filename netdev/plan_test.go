package netdev

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"holdfast/netdev/frame"

	"golang.org/x/sys/unix"
)

// A fakeKernel carries out ops as the kernel does: what is there already, or is
// not there, is an error.
type fakeKernel struct {
	*observation
	next int
}

func newFakeKernel() *fakeKernel {
	return &fakeKernel{&observation{byName: map[string]*link{}, byIndex: map[int]*link{}, addresses: map[int][]address{}}, 0}
}

func (k *fakeKernel) plug(l link) *link {
	k.next++
	l.index = k.next
	k.byName[l.name], k.byIndex[l.index] = &l, &l
	return &l
}

func (k *fakeKernel) unplug(l *link) {
	delete(k.byName, l.name)
	delete(k.byIndex, l.index)
	delete(k.addresses, l.index)
}

func (k *fakeKernel) do(t *testing.T, o op) {
	t.Helper()
	s := &o.device.spec
	l := k.byIndex[o.index]
	if o.verb != create && l == nil {
		t.Fatalf("%v on interface %d, which does not exist", o, o.index)
	}
	at := slices.IndexFunc(k.addresses[o.index], func(a address) bool { return a.prefix == o.prefix })
	switch o.verb {
	case create:
		if k.byName[s.Name] != nil || k.byIndex[o.parent] == nil {
			t.Fatalf("create %s above %d", s.Name, o.parent)
		}
		k.plug(link{
			name: s.Name, parent: k.lower(k.byIndex[o.parent]), mac: s.MAC, kind: "macvlan", bridgeMode: true,
			ethernet: true, alias: aliasOf("holdfast", s), master: o.master,
		})
	case remove:
		k.unplug(l)
	case setLink:
		l.flags = l.flags&^o.mask | o.flags&o.mask
		if o.rename {
			l.alias = aliasOf("holdfast", s)
		}
		if o.setMaster {
			l.master = o.master
		}
		if o.setProto {
			l.protoDown = o.protoDown
		}
	case addAddress:
		if at >= 0 {
			t.Fatalf("%v: it is there", o)
		}
		a := address{index: o.index, prefix: o.prefix, protocol: AddressProtocol, scope: o.address.Scope, broadcast: o.address.Broadcast}
		switch {
		case o.prefix.Addr().Is4():
			a.label = cmp.Or(o.address.Label, l.name)
		case !o.address.Preferred:
			a.flags |= unix.IFA_F_DEPRECATED
		}
		if o.noPrefixRoute {
			a.flags |= unix.IFA_F_NOPREFIXROUTE
		}
		k.addresses[o.index] = append(k.addresses[o.index], a)
	case removeAddress:
		if at < 0 {
			t.Fatalf("%v: it is not there", o)
		}
		k.addresses[o.index] = slices.Delete(k.addresses[o.index], at, at+1)
	}
}

// settle plans and applies until there is nothing to do.
func (k *fakeKernel) settle(t *testing.T, d *device) {
	t.Helper()
	for range maxRounds {
		ops, err := plan("holdfast", d, k.observation)
		if err != nil {
			t.Fatal(err)
		}
		if len(ops) == 0 {
			return
		}
		for _, o := range ops {
			k.do(t, o)
		}
	}
	t.Fatalf("%s in state %v does not settle", d.spec.Name, d.state)
}

// show prints a device, and the addresses on its parent that are ours.
func (k *fakeKernel) show(d *device) string {
	l := k.byName[d.spec.Name]
	if !d.spec.virtual() {
		l = k.byName[d.spec.Parent]
	}
	if l == nil {
		return "absent"
	}
	var ips []string
	for _, a := range k.addresses[l.index] {
		ips = append(ips, a.prefix.String())
	}
	slices.Sort(ips)
	return fmt.Sprintf("%s parent=%d mac=%v up=%v quiet=%v alias=%q %v", l.name, l.parent, l.mac,
		l.flags&unix.IFF_UP != 0, l.muted(), l.alias, ips)
}

// From whatever somebody made of it, a device always comes to the same.
func TestPlanWalk(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	k := newFakeKernel()
	eth0 := k.plug(link{name: "eth0", ethernet: true, kind: "device"})
	eth1 := k.plug(link{name: "eth1", ethernet: true, kind: "device"})
	vrf := k.plug(link{name: "red", kind: "vrf"})
	above := k.plug(link{name: "mv0", parent: eth1.index, ethernet: true, kind: "macvlan", alias: "another's"})
	pool := addresses("10.0.0.100/24", "10.0.0.101/24", "10.0.0.102/32", "fe80::100/64", "2001:db8::100/64")
	d := &device{spec: spec4(), mine: map[netip.Prefix]bool{}}
	d.spec.Addresses = nil

	harm := []func(l *link){
		func(l *link) { l.flags ^= unix.IFF_UP },
		func(l *link) { l.flags ^= unix.IFF_NOARP },
		func(l *link) { l.protoDown = !l.protoDown },
		func(l *link) { l.alias = "holdfast" },
		func(l *link) { l.mac[5]++ },
		func(l *link) { l.bridgeMode = false },
		func(l *link) { l.master = 0 },
		func(l *link) { k.addresses[l.index] = nil },
		func(l *link) {
			p := pool[r.IntN(len(pool))].Prefix
			if !has(k.addresses[l.index], p) {
				k.addresses[l.index] = append(k.addresses[l.index], address{index: l.index, prefix: p, protocol: AddressProtocol})
			}
		},
		func(l *link) { k.unplug(l) },
	}
	for range 3000 {
		switch r.IntN(5) {
		case 0:
			d.state = State(r.IntN(3))
		case 1:
			d.spec.Addresses = pool[:r.IntN(len(pool)+1)]
			for _, a := range d.spec.Addresses {
				d.mine[a.Prefix] = true
			}
		case 2:
			d.spec.Parent = []string{eth0.name, eth1.name, above.name}[r.IntN(3)]
		case 3:
			eth0.master = []int{0, vrf.index}[r.IntN(2)]
		case 4:
			if l := k.byName[d.spec.Name]; l != nil {
				harm[r.IntN(len(harm))](l)
			}
		}
		k.settle(t, d)
		l := k.byName[d.spec.Name]
		parent := k.byName[d.spec.Parent]
		want := fmt.Sprintf("%s parent=%d mac=%v up=%v quiet=%v alias=%q", d.spec.Name, k.lower(parent), d.spec.MAC,
			d.state != Bare, d.state == Muted, "holdfast outside")
		if got := k.show(d); !strings.HasPrefix(got, want) {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
		if l.master != parent.master { // all masters here are VRFs
			t.Fatalf("master %d, its parent's VRF is %d", l.master, parent.master)
		}
		on := map[netip.Prefix]bool{}
		for _, a := range k.addresses[l.index] {
			on[a.prefix] = true
		}
		for _, a := range pool {
			wanted := d.wants(a.Prefix) && d.state != Bare
			if d.state == Muted {
				wanted = wanted && on[a.Prefix] // it puts nothing on
			}
			if on[a.Prefix] != wanted {
				t.Fatalf("state %v: address %v on %v, wanted %v", d.state, a.Prefix, on[a.Prefix], wanted)
			}
		}
	}
}

// A bond or bridge that the parent is in is not one for the device.
func TestOnlyVRFIsFollowed(t *testing.T) {
	k := newFakeKernel()
	bridge := k.plug(link{name: "br0", kind: "bridge"})
	k.plug(link{name: "eth0", ethernet: true, kind: "device", master: bridge.index})
	d := &device{spec: spec4(), mine: map[netip.Prefix]bool{}}
	k.settle(t, d)
	if l := k.byName[d.spec.Name]; l.master != 0 {
		t.Errorf("master %d", l.master)
	}
}

// In interface mode only what is ours is touched.
func TestPlanInterfaceMode(t *testing.T) {
	k := newFakeKernel()
	eth0 := k.plug(link{name: "eth0", ethernet: true, kind: "device", flags: unix.IFF_UP})
	own, foreign := netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("10.0.0.101/24")
	k.addresses[eth0.index] = []address{{index: eth0.index, prefix: own}, {index: eth0.index, prefix: foreign}}
	vip := netip.MustParsePrefix("10.0.0.100/24")
	d := &device{spec: Spec{Name: "lan", Parent: "eth0", Addresses: []Address{{Prefix: vip}, {Prefix: foreign}}}, mine: map[netip.Prefix]bool{vip: true}}
	before := k.show(d)
	k.settle(t, d)
	if got := k.show(d); got != before {
		t.Errorf("bare:\n%s\n%s", before, got)
	}
	d.state = Claimed
	k.settle(t, d)
	if !has(k.addresses[eth0.index], vip) {
		t.Error("claimed, and the address is not there")
	}
	d.state = Muted
	k.settle(t, d)
	d.state = Bare
	k.settle(t, d)
	if got := k.show(d); got != before {
		t.Errorf("bare again:\n%s\n%s", before, got)
	}
}

func TestCovered(t *testing.T) {
	parent := []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("2001:db8::1/64")}
	for prefix, want := range map[string]bool{
		"10.0.0.100/24":    true,
		"10.0.0.100/25":    true, // else its route would take half of the parent's subnet
		"10.0.0.100/32":    true,
		"10.0.0.100/16":    false, // its route is needed, and takes nothing from the parent
		"192.0.2.1/24":     false,
		"2001:db8::100/64": true,
		"fe80::100/64":     false,
	} {
		if got := covered(netip.MustParsePrefix(prefix), parent); got != want {
			t.Errorf("%s: %v", prefix, got)
		}
	}
}

// What was asked at a link-local address of a macvlan is answered through it.
func TestLinkLocalHasARoute(t *testing.T) {
	parent := []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("fe80::1/64")}
	d := &device{spec: Spec{MAC: vmac}, onParent: parent}
	for prefix, want := range map[string]bool{"10.0.0.100/24": true, "fe80::100/64": false, "2001:db8::100/64": false} {
		if got := d.noPrefixRoute(&Address{Prefix: netip.MustParsePrefix(prefix)}); got != want {
			t.Errorf("%s: %v", prefix, got)
		}
	}
	d.spec.MAC = frame.MAC{}
	if !d.noPrefixRoute(&Address{Prefix: netip.MustParsePrefix("fe80::100/64")}) {
		t.Error("the interface has that route already")
	}
}
