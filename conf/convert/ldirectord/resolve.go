package ldirectord

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"holdfast/conf/convert"
)

// host returns the address of a host. ldirectord resolves names when it reads the
// file.
func (c *converter) host(at convert.Position, name string, ipv6 bool) (netip.Addr, bool) {
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if a, err := netip.ParseAddr(name); err == nil {
		if a.Is6() != ipv6 {
			refused(c.report, at, "%v is of the other family", a)
			return a, false
		}
		return a, true
	}
	if c.in.Lookup == nil {
		c.report.Person(at, "the host %s is given by name: holdfast needs its address", name)
		return netip.Addr{}, false
	}
	all, err := c.in.Lookup(name)
	for _, a := range all {
		if a = a.Unmap(); err == nil && a.Is6() == ipv6 {
			c.report.Note(at, "the host %s is %v now; holdfast does not follow its name", name, a)
			return a, true
		}
	}
	c.report.Person(at, "the host %s has no address here (%v): holdfast needs one", name, err)
	return netip.Addr{}, false
}

// port returns the number of a port, which may have a name of /etc/services.
func (c *converter) port(at convert.Position, name, protocol string) (uint16, bool) {
	if n, err := strconv.ParseUint(name, 10, 16); err == nil {
		return uint16(n), true
	}
	n, err := net.LookupPort(protocol, name)
	if err != nil {
		refused(c.report, at, "there is no port %q", name)
		return 0, false
	}
	return uint16(n), true
}
