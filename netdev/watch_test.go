package netdev

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// message makes a notification out of a request.
func message(kind uint16, r *nl.NetlinkRequest) syscall.NetlinkMessage {
	return syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: kind}, Data: r.Serialize()[unix.SizeofNlMsghdr:]}
}

func linkMessage(kind uint16, family int, index int, name string, flags uint32) syscall.NetlinkMessage {
	r := nl.NewNetlinkRequest(0, 0)
	m := nl.NewIfInfomsg(family)
	m.Index, m.Flags, m.Type = int32(index), flags, unix.ARPHRD_ETHER
	r.AddData(m)
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	r.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, baseMAC[:]))
	r.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(1500)))
	return message(kind, r)
}

func addressMessage(kind uint16, index int, prefix string, flags uint32) syscall.NetlinkMessage {
	r := addressRequest(0, 0, index, netip.MustParsePrefix(prefix))
	r.AddData(nl.NewRtAttr(unix.IFA_FLAGS, nl.Uint32Attr(flags)))
	return message(kind, r)
}

// brief writes an event in one line.
func brief(e Event) string {
	switch {
	case e.Kind == Resync:
		return "resync"
	case e.Kind == AddressChanged:
		return fmt.Sprintf("%s(%d) %v added=%v ours=%v", e.Name, e.Index, e.Prefix, e.Added, e.Ours)
	case !e.Present:
		return fmt.Sprintf("%s(%d) gone", e.Name, e.Index)
	}
	s := fmt.Sprintf("%s(%d) admin=%v up=%v", e.Name, e.Index, e.Admin, e.Up)
	if e.Was != "" {
		s += " was " + e.Was
	}
	if e.Quiet {
		s += " quiet"
	}
	return s
}

func TestTableProcess(t *testing.T) {
	const newLink, delLink, newAddr, delAddr = unix.RTM_NEWLINK, unix.RTM_DELLINK, unix.RTM_NEWADDR, unix.RTM_DELADDR
	const all = uint32(carrierFlags)
	table := newTable()
	for _, c := range []struct {
		name string
		in   []syscall.NetlinkMessage
		want []string
	}{
		{"comes, down", []syscall.NetlinkMessage{linkMessage(newLink, 0, 3, "eth0", 0)}, []string{"eth0(3) admin=false up=false"}},
		{"the same again", []syscall.NetlinkMessage{linkMessage(newLink, 0, 3, "eth0", 0)}, nil},
		{"up without carrier", []syscall.NetlinkMessage{linkMessage(newLink, 0, 3, "eth0", unix.IFF_UP)}, []string{"eth0(3) admin=true up=false"}},
		{"carrier, not yet running", []syscall.NetlinkMessage{linkMessage(newLink, 0, 3, "eth0", unix.IFF_UP|unix.IFF_LOWER_UP)}, []string{"eth0(3) admin=true up=false"}},
		{"up", []syscall.NetlinkMessage{linkMessage(newLink, 0, 3, "eth0", all)}, []string{"eth0(3) admin=true up=true"}},
		{"promiscuous: of no concern", []syscall.NetlinkMessage{linkMessage(newLink, 0, 3, "eth0", all|unix.IFF_PROMISC)}, nil},
		{"a bridge lets its port go: still there", []syscall.NetlinkMessage{linkMessage(delLink, unix.AF_BRIDGE, 3, "eth0", all)}, nil},
		{"address being checked", []syscall.NetlinkMessage{addressMessage(newAddr, 3, "fe80::1/64", unix.IFA_F_TENTATIVE)}, nil},
		{"address good", []syscall.NetlinkMessage{addressMessage(newAddr, 3, "fe80::1/64", 0)}, []string{"eth0(3) fe80::1/64 added=true ours=false"}},
		{"address again", []syscall.NetlinkMessage{addressMessage(newAddr, 3, "fe80::1/64", 0)}, nil},
		{"address is a duplicate", []syscall.NetlinkMessage{addressMessage(newAddr, 3, "fe80::1/64", unix.IFA_F_DADFAILED)}, []string{"eth0(3) fe80::1/64 added=false ours=false"}},
		{"ours", []syscall.NetlinkMessage{message(newAddr, addRequest(3, netip.MustParsePrefix("10.0.0.100/24"), false))}, []string{"eth0(3) 10.0.0.100/24 added=true ours=true"}},
		{"renamed", []syscall.NetlinkMessage{linkMessage(newLink, 0, 3, "wan", all)}, []string{"wan(3) admin=true up=true was eth0"}},
		{"quiet", []syscall.NetlinkMessage{linkMessage(newLink, 0, 3, "wan", all|unix.IFF_NOARP)}, []string{"wan(3) admin=true up=true quiet"}},
		{"unknown address goes", []syscall.NetlinkMessage{addressMessage(delAddr, 3, "10.0.0.7/24", 0)}, nil},
		{"gone, with its addresses", []syscall.NetlinkMessage{linkMessage(delLink, 0, 3, "wan", 0)}, []string{"wan(3) 10.0.0.100/24 added=false ours=true", "wan(3) gone"}},
		{"gone twice", []syscall.NetlinkMessage{linkMessage(delLink, 0, 3, "wan", 0)}, nil},
		{"cut off", []syscall.NetlinkMessage{{Header: syscall.NlMsghdr{Type: newLink}, Data: []byte{0, 0}}, {Header: syscall.NlMsghdr{Type: newAddr}}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, e := range table.process(c.in) {
				got = append(got, brief(e))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTableSync(t *testing.T) {
	table := newTable()
	table.process([]syscall.NetlinkMessage{
		linkMessage(unix.RTM_NEWLINK, 0, 3, "eth0", carrierFlags),
		linkMessage(unix.RTM_NEWLINK, 0, 4, "eth1", carrierFlags),
		addressMessage(unix.RTM_NEWADDR, 3, "10.0.0.1/24", 0),
		addressMessage(unix.RTM_NEWADDR, 3, "10.0.0.2/24", 0),
	})
	eth0 := &link{index: 3, name: "eth0", mac: baseMAC, mtu: 1500, ethernet: true, flags: unix.IFF_UP, kind: "device"}
	o := &observation{
		byIndex:   map[int]*link{3: eth0},
		addresses: map[int][]address{3: {{index: 3, prefix: netip.MustParsePrefix("10.0.0.2/24")}, {index: 3, prefix: netip.MustParsePrefix("10.0.0.3/24")}}},
	}
	want := []string{
		"eth1(4) gone", "eth0(3) admin=true up=false", "eth0(3) 10.0.0.3/24 added=true ours=false",
		"eth0(3) 10.0.0.1/24 added=false ours=false", "resync",
	}
	var got []string
	for _, e := range table.sync(o) {
		got = append(got, brief(e))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// watch runs a Watcher and returns its events.
func watch(t *testing.T, n *ns, prepare func(*Watcher)) <-chan Event {
	t.Helper()
	n.enter()
	w, err := OpenWatcher(slog.New(slog.DiscardHandler))
	must(t, err)
	if prepare != nil {
		prepare(w)
	}
	ctx, cancel := context.WithCancel(context.Background())
	events, done := make(chan Event), make(chan error)
	go func() {
		done <- w.Run(ctx, func(e Event) {
			select {
			case events <- e:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return events
}

func await(t *testing.T, events <-chan Event, what string) {
	t.Helper()
	timeout := time.After(5 * time.Second)
	for {
		select {
		case e := <-events:
			if strings.Contains(brief(e), what) {
				return
			}
		case <-timeout:
			t.Fatalf("no event %q", what)
		}
	}
}

func TestWatcher(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	events := watch(t, p.director, nil)
	await(t, events, "10.0.0.1/24 added=true ours=false")
	await(t, events, "resync")
	p.neighbour.run("ip link set net0 down")
	await(t, events, "admin=true up=false")
	p.neighbour.run("ip link set net0 up")
	await(t, events, "admin=true up=true")
	h := openHost(t, p.director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4())
	await(t, events, "vrrp4-51")
	must(t, h.Claim("vrrp4-51"))
	await(t, events, "10.0.0.101/32 added=true ours=true")
	p.director.run("ip link set eth0 down name wan0")
	await(t, events, "was eth0")
	p.director.run("ip link del wan0")
	await(t, events, "vrrp4-51")
	await(t, events, "gone")
}

// When the kernel drops events, everything is looked at and told.
func TestWatcherOverrun(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.director.run("ip link add name many type veth peer name many1")
	var w *Watcher
	events := watch(t, p.director, func(opened *Watcher) {
		w = opened
		must(t, w.socket.SetReceiveBufferSize(4096, true))
	})
	await(t, events, "resync")
	// Nobody reads events while these are made.
	c, err := dial()
	must(t, err)
	defer c.close()
	var add []*nl.NetlinkRequest
	for i := range 500 {
		ip := make([]byte, 4)
		binary.BigEndian.PutUint32(ip, 10<<24|1<<16|uint32(i+1))
		addr, _ := netip.AddrFromSlice(ip)
		add = append(add, addRequest(p.director.index("many"), netip.PrefixFrom(addr, 32), false))
	}
	for _, err := range c.do(add) {
		must(t, err)
	}
	seen := map[netip.Prefix]bool{}
	resynced := false
	for timeout := time.After(5 * time.Second); len(seen) < len(add) || !resynced; {
		select {
		case e := <-events:
			resynced = resynced || e.Kind == Resync
			if e.Kind == AddressChanged && e.Added {
				seen[e.Prefix] = true
			}
		case <-timeout:
			t.Fatalf("%d of %d addresses were told, resync %v", len(seen), len(add), resynced)
		}
	}
}

// A subscription that breaks is made anew. (The test's thread is in a
// namespace of its own, and the new subscription is the runner's; so it is
// only seen to be made.)
func TestWatcherResubscribes(t *testing.T) {
	p := newPair(t)
	var w *Watcher
	events := watch(t, p.director, func(opened *Watcher) { w = opened })
	await(t, events, "resync")
	w.socket.Close()
	await(t, events, "resync")
}

func TestConcerns(t *testing.T) {
	h := &Host{owner: "holdfast", devices: map[string]*device{}}
	s := spec4()
	d := &device{spec: s, index: 7, mine: map[netip.Prefix]bool{s.Addresses[0].Prefix: true}}
	lan := &device{spec: Spec{Name: "lan", Parent: "eth1", Addresses: s.Addresses}, index: 4, state: Claimed, mine: d.mine}
	h.devices[s.Name], h.devices["lan"] = d, lan
	vip := s.Addresses[0].Prefix
	for _, c := range []struct {
		name  string
		state State
		e     Event
		want  bool
	}{
		{"resync", Bare, Event{Kind: Resync}, true},
		{"down as it should be", Bare, Event{Kind: LinkChanged, Index: 7, Name: s.Name, Present: true, MAC: vmac}, false},
		{"up and should not", Bare, Event{Kind: LinkChanged, Index: 7, Name: s.Name, Present: true, MAC: vmac, Admin: true}, true},
		{"up as it should be", Claimed, Event{Kind: LinkChanged, Index: 7, Name: s.Name, Present: true, MAC: vmac, Admin: true}, false},
		{"quiet and should not", Claimed, Event{Kind: LinkChanged, Index: 7, Name: s.Name, Present: true, MAC: vmac, Admin: true, Quiet: true}, true},
		{"quiet as it should be", Quiet, Event{Kind: LinkChanged, Index: 7, Name: s.Name, Present: true, MAC: vmac, Admin: true, Quiet: true}, false},
		{"another MAC", Bare, Event{Kind: LinkChanged, Index: 7, Name: s.Name, Present: true, MAC: baseMAC}, true},
		{"gone", Bare, Event{Kind: LinkChanged, Index: 7, Name: s.Name}, true},
		{"one with an old index gone", Bare, Event{Kind: LinkChanged, Index: 6, Name: s.Name}, false},
		{"renamed", Bare, Event{Kind: LinkChanged, Index: 7, Name: "x", Was: s.Name, Present: true, MAC: vmac}, true},
		{"parent up", Claimed, Event{Kind: LinkChanged, Index: 3, Name: "eth0", Present: true, Admin: true}, false},
		{"address gone", Claimed, Event{Kind: AddressChanged, Index: 7, Prefix: vip}, true},
		{"address gone with Release", Bare, Event{Kind: AddressChanged, Index: 7, Prefix: vip}, false},
		{"address come", Claimed, Event{Kind: AddressChanged, Index: 7, Prefix: vip, Added: true}, false},
		{"address come on a bare device", Bare, Event{Kind: AddressChanged, Index: 7, Prefix: vip, Added: true}, true},
		{"somebody's address goes", Claimed, Event{Kind: AddressChanged, Index: 7, Prefix: netip.MustParsePrefix("10.9.9.9/24")}, false},
		{"address on another interface", Claimed, Event{Kind: AddressChanged, Index: 9, Prefix: vip}, false},
		{"interface mode, address gone", Claimed, Event{Kind: AddressChanged, Index: 4, Prefix: vip}, true},
		{"interface mode, parent anew", Claimed, Event{Kind: LinkChanged, Index: 5, Name: "eth1", Present: true}, true},
		{"interface mode, parent changed", Claimed, Event{Kind: LinkChanged, Index: 4, Name: "eth1", Present: true}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.state = c.state
			if got := h.Concerns(c.e); got != c.want {
				t.Errorf("Concerns = %v", got)
			}
		})
	}
	h.mu.Lock()
	if !h.Concerns(Event{Kind: LinkChanged, Index: 9, Name: "eth9"}) {
		t.Error("a Host at work says that an event is of no concern")
	}
	h.mu.Unlock()
}
