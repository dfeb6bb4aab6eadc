package netdev

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"holdfast/netdev/frame"
	"holdfast/netdev/rtnl"

	"golang.org/x/sys/unix"
)

// EventKind says what an Event is about.
type EventKind uint8

// The kinds of events.
const (
	LinkChanged    EventKind = iota + 1 // an interface came, went or changed
	AddressChanged                      // an address came (and is usable) or went
	Resync                              // a listing has been reported completely; events before it may have been lost
	FilterChanged                       // rp_filter of an interface, of `all` or of `default` has another value
)

// An Event is a change to an interface. Name and Index are set except in two kinds:
// Resync has neither. FilterChanged has no name, and the index -1 for `all` and -2
// for `default` (NETCONFA_IFINDEX_ALL, NETCONFA_IFINDEX_DEFAULT).
type Event struct {
	Kind  EventKind
	Index int
	Name  string

	// LinkChanged
	Present bool   // false: it is gone, and the other fields are unset
	Was     string // its former name, if it was renamed
	Admin   bool   // administratively up
	Up      bool   // Admin, and it has a carrier
	Back    bool   // it is Up again after a time without
	Muted   bool   // IFF_NOARP or protocol down: it answers for no address
	MAC     frame.MAC
	MTU     int
	conf    *devconf // its sysctls, if they may have changed

	// AddressChanged
	Prefix netip.Prefix
	Added  bool
	Ours   bool // it carries AddressProtocol

	// FilterChanged
	Filter int // the value
}

// watchedFlags are the link flags that make an event.
const watchedFlags = carrierFlags | unix.IFF_NOARP | unix.IFF_LOOPBACK

// A Watcher reports changes to links and addresses in the network namespace of the
// thread that opened it. It keeps a table of all of them.
type Watcher struct {
	log    *slog.Logger
	conn   *rtnl.Conn
	socket *rtnl.Subscription

	mu    sync.Mutex
	table table
}

// relistLimit bounds the tries to list everything before the Watcher reads events
// again. The kernel can queue so many events meanwhile.
const relistLimit = time.Second

// OpenWatcher subscribes. No change after its return is lost.
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
	s, err := rtnl.Subscribe(unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_NETCONF)
	if err != nil {
		return fmt.Errorf("subscribe to link and address events: %w", err)
	}
	// 1,000 addresses claimed at once make 1,000 messages.
	if err := s.SetReceiveBuffer(8 << 20); err != nil {
		w.log.Debug("small buffer for link and address events", "error", err)
	}
	w.socket = s
	return nil
}

// Run calls handle with every event until ctx is done: first everything that
// exists, then Resync, then changes. If the kernel dropped events, or the
// subscription failed, Run lists everything again, reports the differences, and
// then Resync. It returns nil when ctx is done.
func (w *Watcher) Run(ctx context.Context, handle func(Event)) error {
	defer w.conn.Close()
	whole := false // the table has everything
	for {
		if !whole {
			var err error
			if whole, err = w.relist(handle); err != nil {
				w.log.Warn("cannot list links and addresses", "err", err)
				if !rtnl.Pause(ctx) {
					w.socket.Close()
					return nil
				}
				continue
			}
		}
		err := w.read(ctx, handle, !whole)
		if ctx.Err() != nil {
			return nil
		}
		whole = false
		switch {
		case errors.Is(err, unix.EAGAIN): // time to list again
			continue
		case errors.Is(err, unix.ENOBUFS):
			w.log.Warn("the kernel dropped link and address events: listing everything")
			w.socket.Discard()
			continue
		}
		w.log.Warn("the subscription to link and address events failed", "err", err)
		for w.socket.Close(); w.subscribe() != nil; {
			if !rtnl.Pause(ctx) {
				return nil
			}
		}
	}
}

// read handles messages until there is an error, with briefly for a second. The end
// of ctx closes the socket, which is an error too.
func (w *Watcher) read(ctx context.Context, handle func(Event), briefly bool) error {
	stop := context.AfterFunc(ctx, w.socket.Close)
	defer stop()
	var limit time.Duration
	if briefly {
		limit = time.Second
	}
	for end := time.Now().Add(time.Second); ; {
		if briefly && time.Now().After(end) {
			return unix.EAGAIN
		}
		messages, err := w.socket.Receive(limit)
		if err != nil {
			return err
		}
		w.mu.Lock()
		events := w.table.process(messages)
		w.mu.Unlock()
		for _, e := range events {
			handle(e)
		}
	}
}

// relist reports the differences to the table. It returns false if links and
// addresses kept changing while they were read: then what is missing in the list
// is not taken to be gone.
func (w *Watcher) relist(handle func(Event)) (whole bool, err error) {
	o, err := observe(w.conn, needs{}, relistLimit)
	if err != nil {
		return false, err
	}
	w.mu.Lock()
	events := w.table.sync(o)
	w.mu.Unlock()
	for _, e := range events {
		handle(e)
	}
	return !o.partial(), nil
}
