package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// An AddressWatch records when IPv4 addresses come up on a host, as its kernel
// reports over netlink.
type AddressWatch struct {
	socket *nl.NetlinkSocket
	done   chan struct{}
	stop   chan struct{}

	mu     sync.Mutex
	added  map[netip.Addr]sighted
	linkUp map[int]time.Time // of devices that are up, the last time that they came up
	fault  error
}

type sighted struct {
	at     time.Time
	device int
}

// WatchAddresses begins to watch.
func (h *Host) WatchAddresses() *AddressWatch {
	h.lab.t.Helper()
	w := &AddressWatch{
		done: make(chan struct{}), stop: make(chan struct{}), added: map[netip.Addr]sighted{}, linkUp: map[int]time.Time{},
	}
	socket, err := nl.SubscribeAt(h.ns, netns.None(), unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR)
	if err != nil {
		h.lab.t.Fatalf("host %s: watch addresses: %v", h.Name, err)
	}
	timeout := unix.NsecToTimeval(int64(20 * time.Millisecond))
	if err := errors.Join(socket.SetReceiveBufferSize(8<<20, true), socket.SetReceiveTimeout(&timeout)); err != nil {
		socket.Close()
		h.lab.t.Fatalf("host %s: watch addresses: %v", h.Name, err)
	}
	w.socket = socket
	go w.record()
	h.lab.t.Cleanup(func() { _ = w.Stop() })
	return w
}

func (w *AddressWatch) record() {
	defer close(w.done)
	defer w.socket.Close()
	for {
		messages, _, err := w.socket.Receive()
		now := time.Now()
		select {
		case <-w.stop:
			return
		default:
		}
		w.mu.Lock()
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		case err != nil:
			w.fault = fmt.Errorf("watch addresses: %w", err)
		default:
			for _, m := range messages {
				w.note(now, m)
			}
		}
		fault := w.fault
		w.mu.Unlock()
		if fault != nil {
			return
		}
	}
}

func (w *AddressWatch) note(now time.Time, m syscall.NetlinkMessage) {
	switch m.Header.Type {
	case unix.RTM_NEWLINK:
		if len(m.Data) < unix.SizeofIfInfomsg {
			return
		}
		info := (*unix.IfInfomsg)(unsafe.Pointer(&m.Data[0]))
		_, was := w.linkUp[int(info.Index)]
		switch up := info.Flags&unix.IFF_UP != 0; {
		case !up:
			delete(w.linkUp, int(info.Index))
		case !was:
			w.linkUp[int(info.Index)] = now
		}
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		if len(m.Data) < unix.SizeofIfAddrmsg {
			return
		}
		device := int((*unix.IfAddrmsg)(unsafe.Pointer(&m.Data[0])).Index)
		address, ok := localAddress(m.Data[unix.SizeofIfAddrmsg:])
		if !ok {
			return
		}
		if m.Header.Type == unix.RTM_DELADDR {
			delete(w.added, address)
		} else if _, twice := w.added[address]; !twice {
			w.added[address] = sighted{at: now, device: device}
		}
	}
}

func localAddress(attributes []byte) (netip.Addr, bool) {
	all, err := nl.ParseRouteAttr(attributes)
	if err != nil {
		return netip.Addr{}, false
	}
	for _, a := range all {
		if a.Attr.Type == unix.IFA_LOCAL {
			return netip.AddrFromSlice(a.Value)
		}
	}
	return netip.Addr{}, false
}

// Up says since when each address that was added while we watched is on a
// device that is up: since it was added, or since its device came up.
func (w *AddressWatch) Up() map[netip.Addr]time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	up := map[netip.Addr]time.Time{}
	for address, s := range w.added {
		up[address] = s.at
		if since := w.linkUp[s.device]; since.After(s.at) {
			up[address] = since
		}
	}
	return up
}

// Stop ends the watch and says what went wrong with it.
func (w *AddressWatch) Stop() error {
	w.mu.Lock()
	select {
	case <-w.stop:
	default:
		close(w.stop)
	}
	w.mu.Unlock()
	<-w.done
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fault
}
