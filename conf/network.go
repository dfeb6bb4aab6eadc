package conf

import (
	"fmt"
	"net/netip"
)

// network is a network or one address.
var network = textual("a network or an address", func(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" && !a.Is4In6() {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return p, fmt.Errorf(`must be an address or a network, like "192.0.2.9" or "192.0.2.0/24", not %s`, quoteShort(s))
	case p.Masked() != p:
		return p, fmt.Errorf("%v has bits beyond its prefix length: write %v", p, p.Masked())
	}
	return p, nil
}, func(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
})
