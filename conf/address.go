package conf

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// An Address is a virtual address with its prefix length and its attributes.
type Address struct {
	netip.Prefix
	// Interface carries the address instead of the instance's own, which is "".
	Interface string
	// Label, Scope and Broadcast exist for IPv4 only. An empty Label is the name
	// of the device; the zero Broadcast is none.
	Label     string
	Scope     Scope
	Broadcast netip.Addr
	// PrefixRoute says whether the kernel adds the route to the subnet.
	PrefixRoute PrefixRoute
	// Preferred lets the kernel choose it as a source address (IPv6 only).
	Preferred bool
}

// A Scope is the scope of an IPv4 address, in the kernel's numbers.
type Scope uint8

// The scopes (include/uapi/linux/rtnetlink.h).
const (
	ScopeGlobal Scope = 0
	ScopeSite   Scope = 200
	ScopeLink   Scope = 253
	ScopeHost   Scope = 254
)

var scope = choice(
	option[Scope]{"global", ScopeGlobal},
	option[Scope]{"site", ScopeSite},
	option[Scope]{"link", ScopeLink},
	option[Scope]{"host", ScopeHost},
)

// A PrefixRoute says whether an address adds the route to its subnet.
type PrefixRoute uint8

// The choices.
const (
	PrefixRouteAuto   PrefixRoute = iota // unless the interface has such a route
	PrefixRouteAlways                    // true
	PrefixRouteNever                     // false
)

var label = textual("a label", func(s string) (string, error) {
	if s == "" || strings.ContainsAny(s, " \t\n\v\f\r\x00") || len(s) > maxInterfaceName {
		return "", fmt.Errorf("%s is not a label: a label has 1 to %d characters and no blanks", quoteShort(s), maxInterfaceName)
	}
	return s, nil
}, func(s string) string { return s })

// autoBroadcast stands for the last address of the subnet.
const autoBroadcast = "auto"

// virtualAddress is an address, or a table with the address and its attributes.
var virtualAddress = codec[Address]{
	decode: func(v value, fail func(value, string)) (Address, bool) {
		keys, isTable := v.data.(map[string]value)
		if !isTable {
			p, ok := addressPrefix.decode(v, fail)
			return Address{Prefix: p}, ok
		}
		var a Address
		good := true
		bad := func(at value, message string) { good = false; fail(at, message) }
		a.decode(v, keys, bad)
		return a, good
	},
	encode: func(a Address) any {
		if a == (Address{Prefix: a.Prefix}) {
			return a.Prefix.String()
		}
		t := InlineTable{{"address", a.Prefix.String()}}
		put := func(given bool, key string, value any) {
			if given {
				t = append(t, InlineTable{{key, value}}...)
			}
		}
		put(a.Interface != "", "interface", a.Interface)
		put(a.Label != "", "label", a.Label)
		put(a.Scope != ScopeGlobal, "scope", scope.encode(a.Scope))
		put(a.Broadcast.IsValid(), "broadcast", a.Broadcast.String())
		put(a.PrefixRoute != PrefixRouteAuto, "prefix_route", a.PrefixRoute == PrefixRouteAlways)
		put(a.Preferred, "preferred", true)
		return t
	},
}

// addressKeys are the keys of the table form of an address.
var addressKeys = []string{"address", "broadcast", "interface", "label", "preferred", "prefix_route", "scope"}

// decode reads the table form of an address.
func (a *Address) decode(v value, keys map[string]value, fail func(value, string)) {
	if _, given := keys["address"]; !given {
		fail(v, "the key address is required")
		return
	}
	var ok bool
	if a.Prefix, ok = addressPrefix.decode(keys["address"], fail); !ok {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		item := keys[key]
		if family := only[key]; family != 0 && family != a.Addr().BitLen() {
			fail(item, fmt.Sprintf("%s of %v has no effect: it exists only for %s", key, a.Prefix, map[int]string{32: "IPv4", 128: "IPv6"}[family]))
			continue
		}
		switch key {
		case "address":
		case "interface":
			a.Interface, _ = interfaceName.decode(item, fail)
		case "label":
			a.Label, _ = label.decode(item, fail)
		case "scope":
			a.Scope, _ = scope.decode(item, fail)
		case "broadcast":
			a.decodeBroadcast(item, fail)
		case "prefix_route":
			if yes, ok := boolean.decode(item, fail); ok && yes {
				a.PrefixRoute = PrefixRouteAlways
			} else {
				a.PrefixRoute = PrefixRouteNever
			}
			if a.IsSingleIP() {
				fail(item, fmt.Sprintf("prefix_route of %v has no effect: a single address has no subnet", a.Prefix))
			}
		case "preferred":
			a.Preferred, _ = boolean.decode(item, fail)
		default:
			fail(item, unknownKey(key, addressKeys))
		}
	}
}

// only has the keys that exist for one family only, with the length in bits of
// its addresses.
var only = map[string]int{"label": 32, "scope": 32, "broadcast": 32, "preferred": 128}

func (a *Address) decodeBroadcast(v value, fail func(value, string)) {
	if v.data != autoBroadcast {
		b, ok := peerAddress.decode(v, fail)
		switch {
		case ok && !b.Is4():
			fail(v, fmt.Sprintf("broadcast of %v: %v is not an IPv4 address", a.Prefix, b))
		case ok:
			a.Broadcast = b
		}
		return
	}
	if a.Bits() > 30 {
		fail(v, fmt.Sprintf("broadcast of %v: a subnet this small has no broadcast address", a.Prefix))
		return
	}
	last := a.Addr().As4()
	for i := a.Bits(); i < 32; i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	a.Broadcast = netip.AddrFrom4(last)
}

// addressPrefix is an address with its prefix length. The default is /32, /128,
// or for a link-local address /64.
var addressPrefix = textual(`an address with its prefix length, like "10.0.0.100/24",`, func(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if a, alone := netip.ParseAddr(s); alone == nil {
		bits := a.BitLen()
		if a.Is6() && a.IsLinkLocalUnicast() {
			bits = 64 // RFC 4291 §2.5.6; without the route to fe80::/64 it could not answer anybody
		}
		p, err = netip.PrefixFrom(a.WithZone(""), bits), nil
		if a.Zone() != "" {
			return p, fmt.Errorf("%s: a zone (%%interface) is not allowed here", quoteShort(s))
		}
	}
	if err != nil {
		return p, fmt.Errorf(`%s is not an address with its prefix length, like "10.0.0.100/24"`, quoteShort(s))
	}
	a, err := plainAddress(p.Addr())
	switch {
	case err != nil:
		return p, err
	case a.IsUnspecified() || a.IsMulticast() || a.IsLoopback():
		return p, fmt.Errorf("%v cannot be a virtual address", a)
	case a.Is4() && p.Bits() < 31 && p.Masked().Addr() == a:
		return p, fmt.Errorf("%v is the address of the network, not of a host in it", p)
	}
	return p, nil
}, netip.Prefix.String)
