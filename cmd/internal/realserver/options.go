package realserver

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"holdfast/netdev/sysctl"
)

// A Method is how the director forwards packets to this host.
type Method string

// The methods. NAT needs nothing of a realserver but its default route.
const (
	DR  Method = "dr"
	TUN Method = "tun"
)

// A Tunnel is how the director packs the packets of TUN.
type Tunnel string

// The tunnels.
const (
	IPIP Tunnel = "ipip"
	GRE  Tunnel = "gre"
	GUE  Tunnel = "gue"
)

// Options say how this host serves VIPs.
type Options struct {
	VIPs   []netip.Addr
	Method Method
	// Device gets the addresses. A device that does not exist is made as a dummy. "":
	// lo with DR, the tunnel's device with TUN.
	Device string
	Tunnel Tunnel // with TUN
	Port   uint16 // UDP port of GUE
	// Outer is the family by which the director reaches this host; only with TUN. An
	// IPv6 VIP may also come through a tunnel over IPv4.
	Outer Family
}

// A Family is a family of addresses.
type Family string

// The families; "" is that of the VIP.
const (
	IPv4 Family = "ipv4"
	IPv6 Family = "ipv6"
)

// outerIPv6 reports whether the tunnel for a VIP goes over IPv6.
func (o *Options) outerIPv6(vip netip.Addr) bool {
	if o.Outer == "" {
		return o.Method == TUN && vip.Is6()
	}
	return o.Outer == IPv6
}

// Validate returns what is wrong with the options.
func (o *Options) Validate() error {
	var errs []error
	if len(o.VIPs) == 0 {
		errs = append(errs, errors.New("at least one VIP is required"))
	}
	for _, vip := range o.VIPs {
		if !vip.IsValid() || vip.IsUnspecified() || vip == broadcast || vip.IsMulticast() || vip.IsLoopback() || vip.Zone() != "" {
			errs = append(errs, fmt.Errorf("%v cannot be a VIP", vip))
		}
	}
	switch {
	case o.Method != DR && o.Method != TUN:
		errs = append(errs, fmt.Errorf("the method must be dr or tun, not %q", o.Method))
	case o.Method == TUN:
		errs = append(errs, o.validateTunnel())
	case o.Tunnel != "" || o.Port != 0 || o.Outer != "":
		errs = append(errs, errors.New("the tunnel, its port and its outer family are only for method tun"))
	}
	if o.Device != "" && !validDevice(o.Device) {
		errs = append(errs, fmt.Errorf("%q cannot be the name of a device", o.Device))
	}
	return errors.Join(errs...)
}

// broadcast is the address of all hosts of a network.
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// validDevice reports whether Linux allows a name (dev_valid_name in net/core/dev.c),
// and sysctls know it as a device.
func validDevice(name string) bool {
	return len(name) <= 15 && name != "." && name != ".." && name != "all" && name != "default" && !strings.ContainsAny(name, "/: \t\n\v\f\r")
}

func (o *Options) validateTunnel() error {
	switch {
	case !slices.Contains([]Tunnel{IPIP, GRE, GUE}, o.Tunnel):
		return fmt.Errorf("the tunnel must be ipip, gre or gue, not %q", o.Tunnel)
	case o.Tunnel == GUE && o.Port == 0:
		return errors.New("gue needs the UDP port that the director sends to")
	case o.Tunnel != GUE && o.Port != 0:
		return errors.New("only gue has a port")
	case o.Outer != "" && o.Outer != IPv4 && o.Outer != IPv6:
		return fmt.Errorf("the outer family must be ipv4 or ipv6, not %q", o.Outer)
	}
	for _, vip := range o.VIPs {
		if _, err := endpointOf(o.Tunnel, vip.Is6(), o.outerIPv6(vip)); err != nil {
			return err
		}
	}
	return nil
}

// needs is what the kernel must have for one VIP.
type needs struct {
	Address  netip.Prefix
	Device   string // that gets the address
	Dummy    bool   // Device is made if it does not exist
	Endpoint *endpoint
	Port     uint16 // UDP port that takes GUE; 0: none
	PortIPv6 bool
	Settings []setting
}

// needs returns what the kernel must have for a VIP.
func (o *Options) needs(vip netip.Addr) needs {
	n := needs{Address: netip.PrefixFrom(vip, vip.BitLen()), Device: "lo"}
	if vip.Is4() {
		n.Settings = append(n.Settings, ignoreARP("all"), announceARP("all"))
	}
	if o.Method == TUN {
		e, _ := endpointOf(o.Tunnel, vip.Is6(), o.outerIPv6(vip)) // Validate has seen the error
		n.Endpoint, n.Device = &e, e.Device
		n.Port, n.PortIPv6 = o.Port, o.outerIPv6(vip)
		if vip.Is4() {
			n.Settings = append(n.Settings, looseReversePath(e.Device))
		}
	}
	if o.Device != "" {
		n.Device = o.Device
		n.Dummy = o.Device != "lo" && (n.Endpoint == nil || o.Device != n.Endpoint.Device)
	}
	return n
}

// An endpoint is the device of the kernel that takes packets out of any tunnel of
// one kind, and the module that makes it.
type endpoint struct {
	Device string
	Module string
}

// endpointOf returns the endpoint for a tunnel by the families inside and outside.
func endpointOf(t Tunnel, inner6, outer6 bool) (endpoint, error) {
	switch {
	case !inner6 && outer6:
		return endpoint{}, errors.New("an IPv4 VIP through a tunnel over IPv6 is not supported: Linux's ip6tnl0 takes only IPv6 out of a tunnel")
	case t == GRE && outer6:
		return endpoint{"ip6gre0", "ip6_gre"}, nil
	case t == GRE:
		return endpoint{"gre0", "ip_gre"}, nil
	case outer6:
		return endpoint{"ip6tnl0", "ip6_tunnel"}, nil
	case inner6:
		return endpoint{"sit0", "sit"}, nil
	}
	return endpoint{"tunl0", "ipip"}, nil
}

// A setting is a sysctl of one interface or of all, with the values that serve.
type setting struct {
	Key  string // as package sysctl has it
	Good []string
	Set  string // what is written if the value is not among Good
}

func ignoreARP(device string) setting {
	return setting{sysctl.Key("ipv4", device, "arp_ignore"), []string{"1", "2", "8"}, "1"}
}

func announceARP(device string) setting {
	return setting{sysctl.Key("ipv4", device, "arp_announce"), []string{"2"}, "2"}
}

// looseReversePath sets the loose mode and not 0: the kernel uses the larger of the
// values of "all" and of the device, and 2 wins over a 1 of "all".
func looseReversePath(device string) setting {
	return setting{sysctl.Key("ipv4", device, "rp_filter"), []string{"2"}, "2"}
}

func (s *setting) good(value string) bool { return slices.Contains(s.Good, value) }
