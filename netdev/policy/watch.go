package policy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"syscall"

	"holdfast/netdev/rtnl"

	"golang.org/x/sys/unix"
)

// An Event is a change of a route or a rule.
type Event struct {
	Prefix netip.Prefix // of the route; the zero Prefix: it is a rule
	Table  uint32       // of the route
	Gone   bool
	Ours   bool // it carries Protocol
	// Lost says that the kernel dropped events. The other fields are unset.
	Lost bool
}

// Watch subscribes to changes of routes and rules in the network namespace of the calling
// thread. It returns a function that calls handle with each until ctx is done. The
// kernel does not report IPv4 routes that go with their interface; a netdev.Watcher
// reports the interface.
func Watch(log *slog.Logger) (run func(ctx context.Context, handle func(Event)), err error) {
	subscribe := func() (*rtnl.Subscription, error) {
		s, err := rtnl.Subscribe(unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE)
		if err != nil {
			return nil, fmt.Errorf("subscribe to route and rule events: %w", err)
		}
		_ = s.SetReceiveBuffer(4 << 20) // a loss is reported
		return s, nil
	}
	s, err := subscribe()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, handle func(Event)) {
		for {
			err := readRoutes(ctx, s, handle)
			if ctx.Err() != nil {
				return
			}
			handle(Event{Lost: true})
			if errors.Is(err, unix.ENOBUFS) {
				continue
			}
			log.Warn("the subscription to route and rule events failed", "err", err)
			for s.Close(); ; {
				if !rtnl.Pause(ctx) {
					return
				}
				if s, err = subscribe(); err == nil {
					break
				}
			}
		}
	}, nil
}

// readRoutes handles messages until there is an error. The end of ctx closes
// the socket and is one.
func readRoutes(ctx context.Context, s *rtnl.Subscription, handle func(Event)) error {
	stop := context.AfterFunc(ctx, s.Close)
	defer stop()
	for {
		messages, err := s.Receive(0)
		if err != nil {
			return err
		}
		for _, m := range messages {
			if e, ok := parseRouteEvent(m); ok {
				handle(e)
			}
		}
	}
}

func parseRouteEvent(m syscall.NetlinkMessage) (e Event, ok bool) {
	switch m.Header.Type {
	case unix.RTM_DELRULE, unix.RTM_NEWRULE:
		if len(m.Data) < unix.SizeofRtMsg { // fib_rule_hdr has its length
			return e, false
		}
		e.Gone = m.Header.Type == unix.RTM_DELRULE
		rtnl.EachAttribute(m.Data[unix.SizeofRtMsg:], func(kind uint16, value []byte) {
			e.Ours = e.Ours || kind == fraProtocol && len(value) == 1 && value[0] == Protocol
		})
		return e, true
	case unix.RTM_DELROUTE, unix.RTM_NEWROUTE:
	default:
		return e, false
	}
	route, key, err := parseRouteKey(m.Data)
	if err != nil || route.Flags&unix.RTM_F_CLONED != 0 { // a cached lookup
		return e, false
	}
	e.Gone, e.Ours = m.Header.Type == unix.RTM_DELROUTE, route.Protocol == Protocol
	e.Prefix, e.Table = key.to, key.table
	return e, true
}
