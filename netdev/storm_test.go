package netdev

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/netdev/internal/testns"
	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
)

// stir adds further addresses to another interface of n, and adds and removes
// some as fast as the kernel does it, until the test ends. It returns a count of
// the changes.
func stir(t *testing.T, n *testns.NS, further int) *atomic.Int64 {
	t.Helper()
	n.Run("ip link add name busy type veth peer name busy1\nip link set busy up")
	var batch strings.Builder
	for i := range further {
		fmt.Fprintf(&batch, "address add 11.%d.%d.1/32 dev busy\n", i/250, i%250)
	}
	file := t.TempDir() + "/addresses"
	testns.Must(t, os.WriteFile(file, []byte(batch.String()), 0o600))
	n.Run("ip -batch " + file)
	index := n.Index("busy")
	n.Enter()
	c, err := rtnl.Dial()
	testns.Must(t, err)
	var stop atomic.Bool
	var changes atomic.Int64
	var running sync.WaitGroup
	running.Go(func() {
		for i := 0; !stop.Load(); i++ {
			a := Address{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{12, 0, byte(i >> 4), byte(i)}), 32)}
			c.Do([]*nl.NetlinkRequest{addRequest(index, &a, true), deleteAddressRequest(index, a.Prefix)})
			changes.Add(2)
			runtime.Gosched()
		}
	})
	t.Cleanup(func() { stop.Store(true); running.Wait(); c.Close() })
	return &changes
}

// While addresses of another interface change all the time, an interface of ours
// is never taken for absent, and every start and stop does its work.
func TestLooksWhileAddressesChange(t *testing.T) {
	p := testns.NewPair(t)
	changes := stir(t, p.Director, 1500)
	p.Director.Enter()
	c, err := rtnl.Dial()
	testns.Must(t, err)
	defer c.Close()
	partial, looks := 0, 0
	for end := time.Now().Add(testns.Timeout); (looks < 50 || partial == 0) && time.Now().Before(end); looks++ {
		o, err := observe(c, needs{names: []string{"eth0", "none"}}, 0)
		testns.Must(t, err)
		if o.partial() {
			partial++
		}
		eth0 := o.byName["eth0"]
		if eth0 == nil || o.byName["none"] != nil || !has(o.addresses[eth0.index], netip.MustParsePrefix("10.0.0.1/24")) {
			t.Fatalf("wrong: eth0 is %+v", eth0)
		}
	}
	if partial == 0 {
		t.Error("no dump was interrupted: the test tests nothing")
	}
	for range 10 {
		h := openHost(t, p.Director, t.TempDir())
		if _, err := h.Interface("eth0"); err != nil {
			t.Errorf("start: %v", err)
		}
		ensure(t, h, spec4())
		testns.Must(t, h.Claim("vrrp4-51"))
		p.Director.Run("ip address del 10.0.0.100/24 dev vrrp4-51")
		reconcile(p.Director, h)
		if got := p.Director.Run("ip address show vrrp4-51"); !strings.Contains(got, "10.0.0.100/24") {
			t.Errorf("the address is not back:\n%s", got)
		}
		if err := h.Close(); err != nil {
			t.Errorf("stop: %v", err)
		}
		if got := p.Director.Run("ip link show"); strings.Contains(got, "vrrp4-51") {
			t.Fatalf("a stop has left:\n%s", got)
		}
		if got := p.Director.Get("ipv4/conf/eth0/arp_ignore"); got != "0" {
			t.Fatalf("a stop has left arp_ignore %s", got)
		}
	}
	t.Logf("%d changes; %d of %d looks were interrupted", changes.Load(), partial, looks)
}

// A sweep that fails is tried again by Reconcile.
func TestSweepIsTriedAgain(t *testing.T) {
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	p.Director.Run("ip link add link eth0 name vrrp4-99 type macvlan mode bridge\nip link set vrrp4-99 alias holdfast")
	good := h.conn
	broken, err := rtnl.Dial()
	testns.Must(t, err)
	broken.Close()
	h.conn = broken
	if _, err := h.Sweep(); err == nil {
		t.Fatal("swept through a closed socket")
	}
	h.conn = good
	if repairs := reconcile(p.Director, h); len(repairs) != 1 || !strings.Contains(repairs[0].String(), "crashed run") {
		t.Errorf("repairs: %v", repairs)
	}
	if repairs := reconcile(p.Director, h); len(repairs) != 0 {
		t.Errorf("once more: %v", repairs)
	}
	if got := p.Director.Run("ip link show"); strings.Contains(got, "vrrp4-99") {
		t.Errorf("it is still there:\n%s", got)
	}
}
