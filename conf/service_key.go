package conf

import (
	"net/netip"
	"slices"

	"holdfast/lvs"
)

// visitKey visits the keys that identify the service in the kernel.
func (s *Service) visitKey(t *table) {
	addresses, marks := s.keyLists()
	field(t, "address", &addresses, serviceAddresses, nil)
	field(t, "mark", &marks, oneOrMore(integer[uint32](1, 1<<32-1)), nil)
	first := s.Service.Key
	marked := first.Mark != 0
	if t.reading() {
		marked = t.has("mark")
	}
	if t.reading() || !marked {
		field(t, "protocol", &first.Protocol, protocol, lvs.TCP)
	}
	if t.reading() || marked {
		field(t, "family", &first.IPv6, markFamily, false)
	}
	switch {
	case !t.reading():
		return
	case marked && t.has("address"):
		t.failf("mark", "a service cannot have both an address and a mark")
	case marked:
		t.forbid("with a mark", "protocol")
	case t.has("address"):
		t.forbid("with an address", "family")
	}
	s.setKeys(first, addresses, marks, marked)
}

// balancingKeys have no meaning for a service that is only checked.
var balancingKeys = []string{
	"address", "mark", "protocol", "family", "scheduler", "scheduler_flags", "one_packet", "persistence", "persistence_prefix",
	"persistence_engine", "follow", "on_down", "forward", "tunnel", "tunnel_port", "tunnel_checksum", "slow_start", "fallback",
	"fallback_forward",
}

// checkKey refuses a service without an address or a mark, unless it is only checked:
// then it has nothing in the kernel.
func (s *Service) checkKey(t *table) {
	switch {
	case !t.reading() || !t.ok("active"):
	case s.Active == lvs.ActiveNever:
		t.forbid(`with active = "never"`, balancingKeys...)
		s.Service, s.Also = lvs.Service{}, nil
		s.Follow, s.OnDown, s.Fallbacks, s.FallbackForward, s.SlowStart = "", lvs.Remove, nil, 0, 0
	case !t.has("mark") && !t.has("address"):
		t.lack("address", "an address or a mark is required")
	}
}

// keyLists returns the addresses and the marks of the keys of s, one of them empty.
func (s *Service) keyLists() (addresses []netip.AddrPort, marks []uint32) {
	if s.Service.Key == (lvs.Key{}) {
		return nil, nil
	}
	for _, k := range s.Keys() {
		if k.Mark != 0 {
			marks = append(marks, k.Mark)
		} else {
			addresses = append(addresses, k.Address)
		}
	}
	return addresses, marks
}

// setKeys sets the keys of s. like has their protocol, or with marks their family.
func (s *Service) setKeys(like lvs.Key, addresses []netip.AddrPort, marks []uint32, marked bool) {
	var keys []lvs.Key
	if marked {
		for _, m := range marks {
			keys = append(keys, lvs.Key{Mark: m, IPv6: like.IPv6})
		}
	} else {
		for _, a := range addresses {
			keys = append(keys, lvs.Key{Protocol: like.Protocol, Address: a}.Canonical())
		}
	}
	s.Service.Key, s.Also = lvs.Key{}, nil
	if len(keys) == 0 { // an error has been reported
		if !marked {
			s.Service.Key.Protocol = like.Protocol
		}
		return
	}
	s.Service.Key = keys[0]
	if len(keys) > 1 {
		s.Also = keys[1:]
	}
}

// port returns the port of all keys of s, or 0 if they have several.
func (s *Service) port() uint16 {
	first := s.Service.Key.Address.Port()
	if slices.ContainsFunc(s.Also, func(k lvs.Key) bool { return k.Address.Port() != first }) {
		return 0
	}
	return first
}

// serviceAddresses is one text or a list of texts in the forms of
// lvs.ParseAddresses. A list is not empty.
var serviceAddresses = codec[[]netip.AddrPort]{
	decode: func(v value, fail func(value, string)) ([]netip.AddrPort, bool) {
		lists, ok := oneOrMore(addressRange).decode(v, fail)
		return slices.Concat(lists...), ok
	},
	encode: func(list []netip.AddrPort) any {
		texts := lvs.FormatAddresses(list)
		return oneOrMore(text).encode(texts)
	},
}

// addressRange is one text in the forms of lvs.ParseAddresses.
var addressRange = textual(`an address with a port, like "10.0.0.1:80",`, func(s string) ([]netip.AddrPort, error) {
	if isAddress(s) { // parseAddressPort has messages for a single address
		one, err := parseAddressPort(s)
		return []netip.AddrPort{one}, err
	}
	return lvs.ParseAddresses(s)
}, nil)

// isAddress reports whether s is an address, with or without a port.
func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	_, err2 := netip.ParseAddrPort(s)
	return err == nil || err2 == nil
}

// oneOrMore is a value, or a list of them that is not empty. A list of one is
// written as the value.
func oneOrMore[T any](c codec[T]) codec[[]T] {
	return codec[[]T]{
		decode: func(v value, fail func(value, string)) ([]T, bool) {
			items, isList := v.data.([]value)
			if !isList {
				one, ok := c.decode(v, fail)
				return []T{one}, ok
			}
			if len(items) == 0 {
				fail(v, "must not be an empty list")
				return nil, false
			}
			return listOf(c).decode(v, fail)
		},
		encode: func(xs []T) any {
			if len(xs) == 1 {
				return c.encode(xs[0])
			}
			return listOf(c).encode(xs)
		},
	}
}
