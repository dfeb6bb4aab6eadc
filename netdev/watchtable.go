package netdev

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A table is the state that the events so far describe.
type table struct {
	links map[int]link
	// addresses are those of all links in one map: a map of its own takes a kilobyte, and a
	// thousand macvlans have one address each.
	addresses map[addressKey]address
}

// An addressKey is an address on an interface.
type addressKey struct {
	index  int
	prefix netip.Prefix
}

func (a *address) key() addressKey { return addressKey{a.index, a.prefix} }

func newTable() table { return table{map[int]link{}, map[addressKey]address{}} }

// process applies messages and returns what they changed. It ignores messages that
// cannot be parsed.
func (t *table) process(messages []syscall.NetlinkMessage) []Event {
	var events []Event
	for _, m := range messages {
		switch m.Header.Type {
		case unix.RTM_NEWLINK, unix.RTM_DELLINK:
			// A bridge reports its ports in the same group with the same message
			// types. Its RTM_DELLINK deletes no link.
			if len(m.Data) == 0 || m.Data[0] != unix.AF_UNSPEC {
				continue
			}
			l, err := parseLink(m.Data)
			switch {
			case err != nil:
			case m.Header.Type == unix.RTM_NEWLINK:
				if l.settings != t.links[l.index].settings {
					l.conf = parseDevconf(m.Data[unix.SizeofIfInfomsg:])
				}
				events = t.putLink(events, l)
			default:
				events = t.dropLink(events, l.index)
			}
		case unix.RTM_NEWADDR, unix.RTM_DELADDR:
			a, err := parseAddress(m.Data)
			switch {
			case err != nil:
			case m.Header.Type == unix.RTM_NEWADDR:
				events = t.putAddress(events, a)
			default:
				events = t.dropAddress(events, a.key())
			}
		case unix.RTM_NEWNETCONF:
			if e, ok := parseFilter(m.Data); ok {
				events = append(events, e)
			}
		}
	}
	return events
}

// Attributes of RTM_NEWNETCONF (include/uapi/linux/netconf.h). Among the few
// sysctls that the kernel reports, rp_filter is the only one of ours.
const (
	netconfLen      = 4 // struct netconfmsg, aligned
	netconfIfIndex  = 1
	netconfRPFilter = 3
)

func parseFilter(b []byte) (e Event, ok bool) {
	if len(b) < netconfLen {
		return e, false
	}
	attributes, err := nl.ParseRouteAttr(b[netconfLen:])
	if err != nil {
		return e, false
	}
	e.Kind = FilterChanged
	for _, a := range attributes {
		if len(a.Value) < 4 {
			continue
		}
		switch value := int(int32(binary.NativeEndian.Uint32(a.Value))); a.Attr.Type {
		case netconfIfIndex:
			e.Index = value
		case netconfRPFilter:
			e.Filter, ok = value, true
		}
	}
	return e, ok && e.Index != 0
}

// sync makes the table equal to an observation, and returns the differences and
// Resync. It drops nothing that a partial observation does not have.
func (t *table) sync(o *observation) []Event {
	var events []Event
	for index := range t.links {
		if o.byIndex[index] == nil && !o.partialLinks {
			events = t.dropLink(events, index)
		}
	}
	now := map[addressKey]bool{}
	for _, l := range o.byIndex {
		events = t.putLink(events, *l)
		for _, a := range o.addresses[l.index] {
			now[a.key()] = true
			events = t.putAddress(events, a)
		}
	}
	for k := range t.addresses {
		if !now[k] && o.byIndex[k.index] != nil && !o.partialAddresses {
			events = t.dropAddress(events, k)
		}
	}
	return append(events, Event{Kind: Resync})
}

func (t *table) putLink(events []Event, l link) []Event {
	l.flags &= watchedFlags
	conf := l.conf
	l.conf = nil
	old, known := t.links[l.index]
	if known && old == l {
		return events
	}
	t.links[l.index] = l
	e := Event{
		Kind: LinkChanged, Index: l.index, Name: l.name, Present: true, Admin: l.flags&unix.IFF_UP != 0,
		Up: l.up(), Muted: l.muted(), MAC: l.mac, MTU: l.mtu,
		conf: conf,
	}
	e.Back = known && e.Up && !old.up()
	if known && old.name != l.name {
		e.Was = old.name
	}
	return append(events, e)
}

func (t *table) dropLink(events []Event, index int) []Event {
	l, known := t.links[index]
	if !known {
		return events
	}
	for k := range t.addresses {
		if k.index == index {
			events = t.dropAddress(events, k)
		}
	}
	delete(t.links, index)
	return append(events, Event{Kind: LinkChanged, Index: index, Name: l.name})
}

// putAddress adds an address once it is usable. While the kernel checks it for
// duplicates, and if it found one, the address does not count.
func (t *table) putAddress(events []Event, a address) []Event {
	if !a.usable() {
		return t.dropAddress(events, a.key())
	}
	_, known := t.addresses[a.key()]
	t.addresses[a.key()] = a
	if known {
		return events
	}
	return append(events, t.addressEvent(a, true))
}

func (t *table) dropAddress(events []Event, k addressKey) []Event {
	a, known := t.addresses[k]
	if !known {
		return events
	}
	delete(t.addresses, k)
	return append(events, t.addressEvent(a, false))
}

func (t *table) addressEvent(a address, added bool) Event {
	return Event{
		Kind: AddressChanged, Index: a.index, Name: t.links[a.index].name,
		Prefix: a.prefix, Added: added, Ours: a.protocol == AddressProtocol,
	}
}
