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

	"holdfast/netdev/internal/testns"
	"holdfast/netdev/rtnl"

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
	r := addressRequest(0, 0, index, netip.MustParsePrefix(prefix), 0)
	r.RawData = rtnl.AppendNumbers(r.RawData, unix.IFA_FLAGS, flags)
	return message(kind, r)
}

// brief writes an event in one line.
func brief(e Event) string {
	switch {
	case e.Kind == Resync:
		return "resync"
	case e.Kind == FilterChanged:
		return fmt.Sprintf("filter(%d) %d", e.Index, e.Filter)
	case e.Kind == AddressChanged:
		return fmt.Sprintf("%s(%d) %v added=%v ours=%v", e.Name, e.Index, e.Prefix, e.Added, e.Ours)
	case !e.Present:
		return fmt.Sprintf("%s(%d) gone", e.Name, e.Index)
	}
	s := fmt.Sprintf("%s(%d) admin=%v up=%v", e.Name, e.Index, e.Admin, e.Up)
	if e.Was != "" {
		s += " was " + e.Was
	}
	if e.Back {
		s += " back"
	}
	if e.Muted {
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
		{"up", []syscall.NetlinkMessage{linkMessage(newLink, 0, 3, "eth0", all)}, []string{"eth0(3) admin=true up=true back"}},
		{"promiscuous: of no concern", []syscall.NetlinkMessage{linkMessage(newLink, 0, 3, "eth0", all|unix.IFF_PROMISC)}, nil},
		{"a bridge lets its port go: still there", []syscall.NetlinkMessage{linkMessage(delLink, unix.AF_BRIDGE, 3, "eth0", all)}, nil},
		{"address being checked", []syscall.NetlinkMessage{addressMessage(newAddr, 3, "fe80::1/64", unix.IFA_F_TENTATIVE)}, nil},
		{"address good", []syscall.NetlinkMessage{addressMessage(newAddr, 3, "fe80::1/64", 0)}, []string{"eth0(3) fe80::1/64 added=true ours=false"}},
		{"address again", []syscall.NetlinkMessage{addressMessage(newAddr, 3, "fe80::1/64", 0)}, nil},
		{"address is a duplicate", []syscall.NetlinkMessage{addressMessage(newAddr, 3, "fe80::1/64", unix.IFA_F_DADFAILED)}, []string{"eth0(3) fe80::1/64 added=false ours=false"}},
		{"ours", []syscall.NetlinkMessage{message(newAddr, addRequest(3, &Address{Prefix: netip.MustParsePrefix("10.0.0.100/24")}, false))}, []string{"eth0(3) 10.0.0.100/24 added=true ours=true"}},
		{"renamed", []syscall.NetlinkMessage{linkMessage(newLink, 0, 3, "wan", all)}, []string{"wan(3) admin=true up=true was eth0"}},
		{"muted", []syscall.NetlinkMessage{linkMessage(newLink, 0, 3, "wan", all|unix.IFF_NOARP)}, []string{"wan(3) admin=true up=true quiet"}},
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
func watch(t *testing.T, n *testns.NS, prepare func(*Watcher)) <-chan Event {
	t.Helper()
	n.Enter()
	w, err := OpenWatcher(slog.New(slog.DiscardHandler))
	testns.Must(t, err)
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
	timeout := time.After(testns.Timeout)
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
	p := testns.NewPair(t)
	events := watch(t, p.Director, nil)
	await(t, events, "10.0.0.1/24 added=true ours=false")
	await(t, events, "resync")
	p.Neighbour.Run("ip link set net0 down")
	await(t, events, "admin=true up=false")
	p.Neighbour.Run("ip link set net0 up")
	await(t, events, "admin=true up=true")
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4())
	await(t, events, "vrrp4-51")
	testns.Must(t, h.Claim("vrrp4-51"))
	await(t, events, "10.0.0.101/32 added=true ours=true")
	p.Director.Set("ipv4/conf/vrrp4-51/rp_filter", "1")
	await(t, events, fmt.Sprintf("filter(%d) 1", p.Director.Index("vrrp4-51")))
	p.Director.Set("ipv4/conf/all/rp_filter", "2")
	await(t, events, "filter(-1) 2")
	p.Director.Run("ip link set eth0 down name wan0")
	await(t, events, "was eth0")
	p.Director.Run("ip link del wan0")
	await(t, events, "vrrp4-51")
	await(t, events, "gone")
}

// When the kernel drops events, everything is looked at and told.
func TestWatcherOverrun(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	p.Director.Run("ip link add name many type veth peer name many1")
	var w *Watcher
	events := watch(t, p.Director, func(opened *Watcher) {
		w = opened
		testns.Must(t, w.socket.SetReceiveBuffer(4096))
	})
	await(t, events, "resync")
	// Nobody reads events while these are made.
	c, err := rtnl.Dial()
	testns.Must(t, err)
	defer c.Close()
	var add []*nl.NetlinkRequest
	for i := range 500 {
		ip := make([]byte, 4)
		binary.BigEndian.PutUint32(ip, 10<<24|1<<16|uint32(i+1))
		addr, _ := netip.AddrFromSlice(ip)
		add = append(add, addRequest(p.Director.Index("many"), &Address{Prefix: netip.PrefixFrom(addr, 32)}, false))
	}
	for _, err := range c.Do(add) {
		testns.Must(t, err)
	}
	seen := map[netip.Prefix]bool{}
	resynced := false
	for timeout := time.After(testns.Timeout); len(seen) < len(add) || !resynced; {
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
	p := testns.NewPair(t)
	var w *Watcher
	events := watch(t, p.Director, func(opened *Watcher) { w = opened })
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
		want  Concern
	}{
		{"resync", Bare, Event{Kind: Resync}, Suspicion},
		{"down as it should be", Bare, Event{Kind: LinkChanged, Index: 7, Name: s.Name, Present: true, MAC: vmac}, Nothing},
		{"up and should not", Bare, Event{Kind: LinkChanged, Index: 7, Name: s.Name, Present: true, MAC: vmac, Admin: true}, Damage},
		{"up as it should be", Claimed, Event{Kind: LinkChanged, Index: 7, Name: s.Name, Present: true, MAC: vmac, Admin: true}, Nothing},
		{"quiet and should not", Claimed, Event{Kind: LinkChanged, Index: 7, Name: s.Name, Present: true, MAC: vmac, Admin: true, Muted: true}, Damage},
		{"quiet as it should be", Muted, Event{Kind: LinkChanged, Index: 7, Name: s.Name, Present: true, MAC: vmac, Admin: true, Muted: true}, Nothing},
		{"another MAC", Bare, Event{Kind: LinkChanged, Index: 7, Name: s.Name, Present: true, MAC: baseMAC}, Damage},
		{"gone", Bare, Event{Kind: LinkChanged, Index: 7, Name: s.Name}, Damage},
		{"one with an old index gone", Bare, Event{Kind: LinkChanged, Index: 6, Name: s.Name}, Nothing},
		{"renamed", Bare, Event{Kind: LinkChanged, Index: 7, Name: "x", Was: s.Name, Present: true, MAC: vmac}, Damage},
		{"parent up", Claimed, Event{Kind: LinkChanged, Index: 3, Name: "eth0", Present: true, Admin: true}, Nothing},
		{"filter on", Claimed, Event{Kind: FilterChanged, Index: 7, Filter: 1}, Damage},
		{"filter off", Claimed, Event{Kind: FilterChanged, Index: 7}, Nothing},
		{"filter on elsewhere", Claimed, Event{Kind: FilterChanged, Index: -1, Filter: 1}, Suspicion},
		{"address gone", Claimed, Event{Kind: AddressChanged, Index: 7, Prefix: vip}, Damage},
		{"address gone with Release", Bare, Event{Kind: AddressChanged, Index: 7, Prefix: vip}, Nothing},
		{"address come", Claimed, Event{Kind: AddressChanged, Index: 7, Prefix: vip, Added: true}, Nothing},
		{"address come on a bare device", Bare, Event{Kind: AddressChanged, Index: 7, Prefix: vip, Added: true}, Damage},
		{"somebody's address goes", Claimed, Event{Kind: AddressChanged, Index: 7, Prefix: netip.MustParsePrefix("10.9.9.9/24")}, Nothing},
		{"address on another interface", Claimed, Event{Kind: AddressChanged, Index: 9, Prefix: vip}, Nothing},
		{"interface mode, address gone", Claimed, Event{Kind: AddressChanged, Index: 4, Prefix: vip}, Damage},
		{"interface mode, parent anew", Claimed, Event{Kind: LinkChanged, Index: 5, Name: "eth1", Present: true}, Damage},
		{"interface mode, parent changed", Claimed, Event{Kind: LinkChanged, Index: 4, Name: "eth1", Present: true}, Nothing},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.state = c.state
			if got := h.Concerns(c.e); got != c.want {
				t.Errorf("Concerns = %v", got)
			}
		})
	}
	h.mu.Lock()
	if got := h.Concerns(Event{Kind: LinkChanged, Index: 9, Name: "eth9"}); got != Suspicion {
		t.Errorf("a Host at work says %v, want a suspicion", got)
	}
	h.mu.Unlock()
}
