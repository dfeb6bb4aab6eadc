package netdev

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"syscall"

	"holdfast/netdev/frame"
	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// EventKind says what an Event is about.
type EventKind uint8

// The kinds of events.
const (
	LinkChanged    EventKind = iota + 1 // an interface came, went or changed
	AddressChanged                      // an address came (and is usable) or went
	Resync                              // events may have been lost before this one; what could be found out has been told
	FilterChanged                       // rp_filter of an interface, of all or of the default has another value
)

// An Event is a change to an interface. Name and Index are always set, but for
// Resync, which has neither, and FilterChanged, which has no name and for all
// interfaces and the default the index -1 and -2 (NETCONFA_IFINDEX_ALL,
// NETCONFA_IFINDEX_DEFAULT).
type Event struct {
	Kind  EventKind
	Index int
	Name  string

	// LinkChanged
	Present bool   // false: it has gone, and all the rest is unset
	Was     string // its former name, if it was renamed
	Admin   bool   // administratively up
	Up      bool   // Admin, and it has a carrier
	Back    bool   // Up again, after a time without
	Muted   bool   // IFF_NOARP or protocol down: it speaks for no address
	MAC     frame.MAC
	MTU     int
	conf    *devconf // its sysctls, if they may have changed

	// AddressChanged
	Prefix netip.Prefix
	Added  bool
	Ours   bool // it carries our mark

	// FilterChanged
	Filter int // the value
}

// watchedFlags are the link flags that make an event.
const watchedFlags = carrierFlags | unix.IFF_NOARP

// A Watcher tells of changes to links and addresses in the network namespace
// of the thread that opened it.
type Watcher struct {
	log    *slog.Logger
	conn   *rtnl.Conn
	socket *nl.NetlinkSocket
	table  table
}

// OpenWatcher subscribes. Nothing is lost from then on.
func OpenWatcher(log *slog.Logger) (*Watcher, error) {
	w := &Watcher{log: log, table: newTable()}
	var err error
	if w.conn, err = rtnl.Dial(); err != nil {
		return nil, err
	}
	if err := w.subscribe(); err != nil {
		w.conn.Close()
		return nil, err
	}
	return w, nil
}

func (w *Watcher) subscribe() error {
	s, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
		unix.RTNLGRP_IPV4_NETCONF)
	if err != nil {
		return fmt.Errorf("subscribe to link and address events: %w", err)
	}
	// 1,000 addresses claimed at once make 1,000 messages.
	if err := s.SetReceiveBufferSize(8<<20, true); err != nil {
		w.log.Debug("small buffer for link and address events", "error", err)
	}
	w.socket = s
	return nil
}

// Run calls handle with every event until ctx is done: first all that exists,
// then Resync, then changes. If the kernel had to drop events, or the
// subscription failed, it looks at everything again, tells the differences,
// and then Resync. It returns nil when ctx is done.
func (w *Watcher) Run(ctx context.Context, handle func(Event)) error {
	defer w.conn.Close()
	relist := true
	for {
		if relist {
			if err := w.relist(handle); err != nil {
				w.log.Warn("cannot list links and addresses", "error", err)
				if !rtnl.Pause(ctx) {
					w.socket.Close()
					return nil
				}
				continue
			}
		}
		err := w.read(ctx, handle)
		if ctx.Err() != nil {
			return nil
		}
		relist = true
		if errors.Is(err, unix.ENOBUFS) {
			w.log.Warn("link and address events were lost; looking at everything")
			rtnl.Drain(w.socket.GetFd())
			continue
		}
		w.log.Warn("the subscription to link and address events failed", "error", err)
		for w.socket.Close(); w.subscribe() != nil; {
			if !rtnl.Pause(ctx) {
				return nil
			}
		}
	}
}

// read handles messages until there is an error. The end of ctx closes the
// socket and is one.
func (w *Watcher) read(ctx context.Context, handle func(Event)) error {
	stop := context.AfterFunc(ctx, w.socket.Close)
	defer stop()
	for {
		messages, from, err := w.socket.Receive()
		if err != nil {
			return err
		}
		if from.Pid != 0 {
			continue // not the kernel's
		}
		for _, e := range w.table.process(messages) {
			handle(e)
		}
	}
}

func (w *Watcher) relist(handle func(Event)) error {
	o, err := observe(w.conn)
	if err != nil {
		return err
	}
	for _, e := range w.table.sync(o) {
		handle(e)
	}
	return nil
}

// A table is what the events so far amount to.
type table struct {
	links     map[int]link
	addresses map[int]map[netip.Prefix]address
}

func newTable() table {
	return table{map[int]link{}, map[int]map[netip.Prefix]address{}}
}

// process takes messages in and returns what they changed. Messages that
// cannot be read are passed over.
func (t *table) process(messages []syscall.NetlinkMessage) []Event {
	var events []Event
	for _, m := range messages {
		switch m.Header.Type {
		case unix.RTM_NEWLINK, unix.RTM_DELLINK:
			// A bridge tells of its ports in the same group with the same
			// message types; its RTM_DELLINK deletes no link.
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
				events = t.dropAddress(events, a.index, a.prefix)
			}
		case unix.RTM_NEWNETCONF:
			if e, ok := parseFilter(m.Data); ok {
				events = append(events, e)
			}
		}
	}
	return events
}

// Attributes of RTM_NEWNETCONF (include/uapi/linux/netconf.h). The kernel tells
// of few settings; of those that are ours rp_filter is the one.
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

// sync makes the table equal to an observation and returns the differences
// and Resync.
func (t *table) sync(o *observation) []Event {
	var events []Event
	for index := range t.links {
		if o.byIndex[index] == nil {
			events = t.dropLink(events, index)
		}
	}
	for _, l := range o.byIndex {
		events = t.putLink(events, *l)
		now := map[netip.Prefix]bool{}
		for _, a := range o.addresses[l.index] {
			now[a.prefix] = true
			events = t.putAddress(events, a)
		}
		for p := range t.addresses[l.index] {
			if !now[p] {
				events = t.dropAddress(events, l.index, p)
			}
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
	for p := range t.addresses[index] {
		events = t.dropAddress(events, index, p)
	}
	delete(t.links, index)
	delete(t.addresses, index)
	return append(events, Event{Kind: LinkChanged, Index: index, Name: l.name})
}

// putAddress takes an address in once it is usable: one that is still checked
// for duplicates, or was found to be one, is not there.
func (t *table) putAddress(events []Event, a address) []Event {
	if !a.usable() {
		return t.dropAddress(events, a.index, a.prefix)
	}
	all := t.addresses[a.index]
	if all == nil {
		all = map[netip.Prefix]address{}
		t.addresses[a.index] = all
	}
	_, known := all[a.prefix]
	all[a.prefix] = a
	if known {
		return events
	}
	return append(events, t.addressEvent(a, true))
}

func (t *table) dropAddress(events []Event, index int, p netip.Prefix) []Event {
	a, known := t.addresses[index][p]
	if !known {
		return events
	}
	delete(t.addresses[index], p)
	return append(events, t.addressEvent(a, false))
}

func (t *table) addressEvent(a address, added bool) Event {
	return Event{
		Kind: AddressChanged, Index: a.index, Name: t.links[a.index].name,
		Prefix: a.prefix, Added: added, Ours: a.protocol == AddressProtocol,
	}
}
