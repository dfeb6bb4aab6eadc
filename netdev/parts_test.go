package netdev

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"holdfast/netdev/internal/testns"
)

// counted counts the virtual addresses that are on a device.
func counted(n *testns.NS, device string) int {
	return strings.Count(n.Run("ip -o address show dev "+device), "inet")
}

// manyIPv6 returns n IPv6 addresses.
func manyIPv6(n int) []Address {
	var all []Address
	for i := range n {
		all = append(all, addresses(fmt.Sprintf("2001:db8::1:%x/64", i+1))...)
	}
	return all
}

// What is told of is up; the first part is small, and the last is all.
func TestClaimInParts(t *testing.T) {
	for name, all := range map[string][]Address{"IPv4": many(300), "IPv6": manyIPv6(300)} {
		t.Run(name, func(t *testing.T) {
			p := testns.NewPair(t)
			h := openHost(t, p.Director, t.TempDir())
			defer h.Close()
			for _, s := range []Spec{
				{Name: "vrrp4-51", Parent: "eth0", MAC: vmac, Addresses: all},
				{Name: "eth0/lan", Parent: "eth0", Addresses: slices.Concat(all, addresses("10.0.0.77/24"))},
			} {
				ensure(t, h, s)
				on := s.Name
				if !s.virtual() {
					on = s.Parent
				}
				own := counted(p.Director, on)
				var told []int
				testns.Must(t, h.ClaimInParts(func(parts []Part) {
					if len(parts) != 1 || parts[0].Device != s.Name {
						t.Fatalf("parts %+v", parts)
					}
					n := parts[0].Addresses
					told = append(told, n)
					if have := counted(p.Director, on) - own; have != n {
						t.Errorf("%s: %d addresses are on, %d were told of", s.Name, have, n)
					}
					if show := p.Director.Run("ip link show " + on); !strings.Contains(show, "state UP") {
						t.Errorf("%s is not up:\n%s", on, show)
					}
					if last := s.Addresses[n-1].Prefix.Addr(); last.Is6() && !isLocal(h.conn, h.devices[s.Name].index, last) {
						t.Errorf("%s: %v is told of and is not local", s.Name, last)
					}
				}, s.Name))
				if len(told) < 3 || told[0] > firstPart || told[len(told)-1] != len(s.Addresses) || !slices.IsSorted(told) {
					t.Errorf("%s: told of %v", s.Name, told)
				}
				if did := reconcile(p.Director, h); len(did) > 0 {
					t.Errorf("%s: the claim was not whole: %v", s.Name, did)
				}
				testns.Must(t, h.Remove(s.Name))
			}
		})
	}
}

// A few are claimed in one go, and many devices are told of one after the other.
func TestPartsOfDevices(t *testing.T) {
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	specs, names := manySpecs(40)
	ensure(t, h, specs...)
	testns.Must(t, h.ClaimInParts(func(parts []Part) { t.Errorf("of a few: %+v", parts) }, names[0], names[1]))
	testns.Must(t, h.Release(names[0], names[1]))
	p.Director.Enter()
	var told []string
	calls := 0
	testns.Must(t, h.ClaimInParts(func(parts []Part) {
		calls++
		for _, part := range parts {
			if part.Addresses != 1 || counted(p.Director, part.Device) != 1 {
				t.Errorf("told of %+v", part)
			}
			told = append(told, part.Device)
		}
	}, names...))
	if !slices.Equal(told, names) || calls < 2 {
		t.Errorf("in %d calls told of %v", calls, told)
	}
}

// Of a device with something wrong nothing is told from there on; the claim fails,
// and the others have what they are to have.
func TestPartsOfWhatFails(t *testing.T) {
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	bad, good := spec4(), spec4()
	bad.Name, bad.Addresses = "bad", many(60)
	bad.Addresses[30].Label = "longer-than-any-label" // which the kernel refuses
	good.Name, good.MAC[5], good.Addresses = "good", 0x34, []Address{{Prefix: netip.MustParsePrefix("10.9.9.9/32")}}
	ensure(t, h, bad, good)
	told := map[string]int{}
	err := h.ClaimInParts(func(parts []Part) {
		for _, part := range parts {
			told[part.Device] = part.Addresses
		}
	}, "bad", "good")
	if err == nil || !strings.Contains(err.Error(), "bad") {
		t.Errorf("error %v", err)
	}
	if told["bad"] != 30 || told["good"] != 1 {
		t.Errorf("told of %v", told)
	}
}

// A device comes up after its addresses, unless the first of them are to be of use early.
func TestClaimOrder(t *testing.T) {
	h := &Host{}
	d := &device{spec: spec4(), index: 7}
	types := func(all []*nl.NetlinkRequest) (list []uint16) {
		for _, r := range all {
			list = append(list, r.Type)
		}
		return list
	}
	at, parts := types(h.claimRequests(nil, d)), types(h.partRequests(nil, d))
	if len(at) < 2 || at[0] != unix.RTM_NEWADDR || at[len(at)-1] != unix.RTM_SETLINK {
		t.Errorf("at once: %v", at)
	}
	if len(parts) != len(at) || parts[0] != unix.RTM_SETLINK || parts[len(parts)-1] != unix.RTM_NEWADDR {
		t.Errorf("in parts: %v", parts)
	}
}
