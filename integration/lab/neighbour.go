package lab

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
)

// A NeighbourWatch records what MAC address a host believes an address to
// have, as the kernel reports it over netlink.
type NeighbourWatch struct {
	Address netip.Addr

	mu    sync.Mutex
	seen  []Sighting
	fault error
}

// Neighbour is the MAC address that the host believes an address to have now;
// not ok if it has no entry, or one that it is still asking for.
func (h *Host) Neighbour(address string) (mac MAC, ok bool) {
	h.lab.t.Helper()
	want := netip.MustParseAddr(address)
	family := netlink.FAMILY_V6
	if want.Is4() {
		family = netlink.FAMILY_V4
	}
	entries, err := h.link.NeighList(0, family)
	if err != nil {
		h.lab.t.Fatalf("host %s: list neighbours: %v", h.Name, err)
	}
	for _, entry := range entries {
		if has, valid := netip.AddrFromSlice(entry.IP); !valid || has.Unmap() != want {
			continue
		}
		if mac, err = macOf(entry.HardwareAddr); err == nil && entry.State&netlink.NUD_FAILED == 0 {
			return mac, mac != MAC{}
		}
	}
	return MAC{}, false
}

// A Sighting is the time from which the host has believed in a MAC address.
type Sighting struct {
	Time time.Time
	MAC  MAC
}

// Resolve is Neighbour after a datagram that has the host resolve the address.
// Nobody waits for an answer to it.
func (h *Host) Resolve(address string) (mac MAC, ok bool) {
	h.lab.t.Helper()
	err := h.Do(func() error {
		conn, err := net.Dial("udp", net.JoinHostPort(address, "9"))
		if err != nil {
			return err
		}
		_, _ = conn.Write([]byte{0}) // a refusal of the one before is no news
		return conn.Close()
	})
	if err != nil {
		h.lab.t.Fatalf("host %s: ask for %s: %v", h.Name, address, err)
	}
	return h.Neighbour(address)
}

// WatchNeighbour begins to watch the host's neighbour entries for an address.
func (h *Host) WatchNeighbour(address string) *NeighbourWatch {
	h.lab.t.Helper()
	w := &NeighbourWatch{Address: netip.MustParseAddr(address)}
	updates := make(chan netlink.NeighUpdate, 64)
	done := make(chan struct{})
	// With ListExisting the library sends its request to the whole multicast group,
	// which disturbs every other subscriber. So we list what exists ourselves.
	err := netlink.NeighSubscribeWithOptions(updates, done, netlink.NeighSubscribeOptions{
		Namespace: &h.ns, ErrorCallback: w.fail,
	})
	if err != nil {
		h.lab.t.Fatalf("host %s: watch neighbours: %v", h.Name, err)
	}
	h.lab.t.Cleanup(func() { close(done) })
	family := netlink.FAMILY_V6
	if w.Address.Is4() {
		family = netlink.FAMILY_V4
	}
	existing, err := h.link.NeighList(0, family)
	if err != nil {
		h.lab.t.Fatalf("host %s: list neighbours: %v", h.Name, err)
	}
	for _, entry := range existing {
		w.note(time.Now(), netlink.NeighUpdate{Neigh: entry})
	}
	go func() {
		for update := range updates {
			w.note(time.Now(), update)
		}
	}()
	return w
}

func (w *NeighbourWatch) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = err
}

func (w *NeighbourWatch) note(now time.Time, update netlink.NeighUpdate) {
	address, ok := netip.AddrFromSlice(update.IP)
	if !ok || address.Unmap() != w.Address || len(update.HardwareAddr) == 0 {
		return
	}
	mac, err := macOf(update.HardwareAddr)
	if err != nil || mac == (MAC{}) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen) == 0 || w.seen[len(w.seen)-1].MAC != mac {
		w.seen = append(w.seen, Sighting{Time: now, MAC: mac})
	}
}

// Seen lists the MAC addresses that the host has believed in, in order; two
// in a row differ.
func (w *NeighbourWatch) Seen() []Sighting {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Sighting(nil), w.seen...)
}

// Changes counts how often the address has moved to another MAC. Forgetting
// and learning the same one again is no change.
func (w *NeighbourWatch) Changes() int { return max(0, len(w.Seen())-1) }

// Err returns why the watch broke; its counts are then incomplete.
func (w *NeighbourWatch) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fault
}

// String lists the sightings.
func (w *NeighbourWatch) String() string {
	var text []string
	for _, s := range w.Seen() {
		text = append(text, fmt.Sprintf("%s %s", s.Time.Format("15:04:05.000"), s.MAC))
	}
	return fmt.Sprintf("%s: [%s]", w.Address, strings.Join(text, ", "))
}
