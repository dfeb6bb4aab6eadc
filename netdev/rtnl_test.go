package netdev

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"holdfast/netdev/internal/testns"
	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Each refused request of a batch is told by its place, over several chunks,
// and does not keep the others from being carried out.
func TestBatchErrors(t *testing.T) {
	n := testns.New(t, "batch")
	n.Run("ip link add name a type veth peer name b")
	index := n.Index("a")
	n.Enter()
	c, err := rtnl.Dial()
	testns.Must(t, err)
	defer c.Close()
	twice := netip.MustParsePrefix("10.0.0.1/32")
	all := many(3*rtnl.Batch - 7)
	bad := map[int]bool{1: true, rtnl.Batch - 1: true, rtnl.Batch: true, len(all) - 1: true}
	requests := func() []*nl.NetlinkRequest {
		var r []*nl.NetlinkRequest
		for i, a := range all {
			if bad[i] {
				a.Prefix = twice
			}
			r = append(r, addRequest(index, &a, false))
		}
		return r
	}
	testns.Must(t, errors.Join(c.Do([]*nl.NetlinkRequest{addRequest(index, &Address{Prefix: twice}, false)})...))
	for i, err := range c.Do(requests()) {
		if bad[i] != errors.Is(err, unix.EEXIST) || !bad[i] && err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	o, err := observe(c, needs{}, dumpTimeout)
	testns.Must(t, err)
	if got, want := len(o.addresses[index]), len(all)-len(bad)+1; got != want {
		t.Errorf("%d addresses, want %d", got, want)
	}
	for i, err := range c.Do(requests()) {
		if !errors.Is(err, unix.EEXIST) {
			t.Errorf("the second time, request %d: %v", i, err)
		}
	}
	err = errors.Join(c.Do([]*nl.NetlinkRequest{linkRequest(unix.RTM_SETLINK, 0, 0, 0, 0)})...)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENODEV) {
		t.Errorf("no interface named: %v", err)
	}
}

// The kernel's own words are in the error.
func TestKernelText(t *testing.T) {
	n := testns.New(t, "text")
	n.Run("ip link add name a type veth peer name b")
	index := n.Index("a")
	n.Enter()
	c, err := rtnl.Dial()
	testns.Must(t, err)
	defer c.Close()
	r := linkRequest(unix.RTM_SETLINK, 0, index, 0, 0)
	r.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(1)))
	err = errors.Join(c.Do([]*nl.NetlinkRequest{r})...)
	if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "mtu less than device minimum") {
		t.Errorf("MTU of 1: %v", err)
	}
}
