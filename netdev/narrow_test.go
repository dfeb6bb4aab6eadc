package netdev

import (
	"slices"
	"strings"
	"testing"

	"holdfast/netdev/internal/testns"
)

// The kernel takes IPv6 away from an interface whose MTU is below 1280. An IPv4 device goes
// on there, and has its settings again when the MTU is back.
func TestNarrowInterface(t *testing.T) {
	t.Parallel()
	for _, made := range []string{"before", "after"} {
		t.Run("made "+made, func(t *testing.T) {
			p := testns.NewPair(t)
			h := openHost(t, p.Director, t.TempDir())
			defer h.Close()
			narrow := func() { p.Director.Run("ip link set eth0 mtu 576") }
			if made == "after" {
				narrow()
			}
			ensure(t, h, spec4())
			testns.Must(t, h.Claim("vrrp4-51"))
			if made == "before" {
				narrow()
			}
			p.Director.Run("ip link set vrrp4-51 alias holdfast")
			if got := texts(reconcile(p.Director, h)); !slices.Equal(got, []string{"vrrp4-51: set the alias"}) {
				t.Errorf("repairs: %v", got)
			}
			p.Director.Run("ip link set eth0 mtu 1500")
			reconcile(p.Director, h)
			reconcile(p.Director, h) // the settings of IPv6 exist only now
			if got := reconcile(p.Director, h); len(got) != 0 {
				t.Errorf("repairs with the MTU of before: %v", got)
			}
			show := p.Director.Run("ip -d link show vrrp4-51\nsysctl net.ipv6.conf.vrrp4-51.disable_ipv6")
			if !strings.Contains(show, "mtu 1500") || !strings.Contains(show, "disable_ipv6 = 1") {
				t.Errorf("with the MTU of before: %s", show)
			}
		})
	}
}

// A device with IPv6 addresses says what is wrong, and works when the MTU is raised.
func TestNarrowInterfaceWithIPv6(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	p.Director.Run("ip link set eth0 mtu 576")
	_, err := h.Ensure(spec6())
	if err == nil || !strings.Contains(err.Error(), "the MTU of vrrp6-51 is below 1280") {
		t.Errorf("the error is %v", err)
	}
}
