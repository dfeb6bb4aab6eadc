package lvs

import (
	"fmt"
	"net/netip"
	"strings"
)

// MaxKeys is the largest number of virtual services in the kernel that one
// configured service may have: a whole block of ports for media streams fits.
const MaxKeys = 16384

// Keys returns the keys of all virtual services that c has in the kernel,
// canonical, that of Service first. A service with ActiveNever has none.
func (c *ServiceConfig) Keys() []Key {
	if c.Active == ActiveNever {
		return nil
	}
	keys := make([]Key, 0, 1+len(c.Also))
	keys = append(keys, c.Service.Key.Canonical())
	for _, k := range c.Also {
		keys = append(keys, k.Canonical())
	}
	return keys
}

// KeyText returns the keys of c for people: "tcp 10.0.0.1:80,443 10.0.0.2:80" or
// "fwmark 7,8". For a single key it is the form of [Key.String]. A service with
// ActiveNever has none.
func (c *ServiceConfig) KeyText() string {
	if c.Active == ActiveNever {
		return ""
	}
	first := c.Service.Key.Canonical()
	if len(c.Also) == 0 {
		return first.String()
	}
	if first.Mark == 0 {
		return first.Protocol.String() + " " + c.AddressText()
	}
	var marks []string
	for _, k := range c.Keys() {
		marks = append(marks, fmt.Sprint(k.Mark))
	}
	text := "fwmark " + join(marks, ",")
	if first.IPv6 {
		text += " ipv6"
	}
	return text
}

// AddressText returns the addresses of c for people, like "10.0.0.1:80,443
// 10.0.0.2:80", or "" for a fwmark service. A long list is cut.
func (c *ServiceConfig) AddressText() string {
	if c.Service.Key.Mark != 0 || !c.Service.Key.Address.IsValid() {
		return ""
	}
	keys := c.Keys()
	list := make([]netip.AddrPort, len(keys))
	for i, k := range keys {
		list[i] = k.Address
	}
	return join(FormatAddresses(list), " ")
}

// join joins texts, of which it shows no more than fit into a line.
func join(texts []string, sep string) string {
	const most = 8
	if len(texts) > most {
		return strings.Join(texts[:most], sep) + fmt.Sprintf(" and %d more", len(texts)-most)
	}
	return strings.Join(texts, sep)
}

// service returns the virtual service of c that has the key k.
func (c *ServiceConfig) service(k Key) Service {
	s := c.Service
	if s.PersistPrefix == s.Key.bits() {
		s.PersistPrefix = 0 // the whole address, which is longer in the other family
	}
	s.Key = k
	return s.Canonical()
}

// under returns s as it is in the virtual service with the key k, canonical. A
// server without a port has the port of the service.
func (s Server) under(k Key) Server {
	s = s.Canonical()
	if s.Address.Port() == 0 {
		s.Address = netip.AddrPortFrom(s.Address.Addr(), k.Address.Port())
	}
	return s
}
