package director

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"path"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink"

	"holdfast/netdev/sysctl"
)

// The values of sysctls of an interface on which the answers to such checks arrive.
// Their source is the address of the service, which on the MASTER is the director's
// own, and for which the way back is another interface (fib_validate_source in
// net/ipv4/fib_frontend.c).
var viaValues = map[string]string{"accept_local": "1", "rp_filter": "2"}

// viaLook is how often the ways to servers are looked up at most while routes change
// all the time.
const viaLook = 5 * time.Second

// A viaWays has the interfaces on which the answers of servers arrive. To ask the
// kernel takes some 20 µs for each server, so it is asked again only when a route may
// have changed, or when it did not know them all.
type viaWays struct {
	interfaces []string
	err        error // why interfaces lacks some
	look       func(*viaTable) ([]string, error)
	of         *viaTable // for which they were looked up
	at         time.Time
	stale      *atomic.Bool // set in other goroutines
}

func newViaWays() viaWays {
	return viaWays{look: (*viaTable).interfaces, stale: new(atomic.Bool)}
}

// settings returns the sysctls that the answers need, with their values, by key.
func (w *viaWays) settings(t *viaTable, now time.Time) (map[string]string, error) {
	changed := w.err != nil || w.stale.Load()
	if w.of != t || changed && now.Sub(w.at) >= viaLook {
		w.stale.Store(false)
		w.interfaces, w.err = w.look(t)
		w.of, w.at = t, now
	}
	errs := []error{w.err}
	want := map[string]string{}
	for _, name := range w.interfaces {
		errs = append(errs, viaSettings(name, want))
	}
	return want, errors.Join(errs...)
}

// interfaces returns the interfaces on which the answers of servers arrive.
func (t *viaTable) interfaces() ([]string, error) {
	seen := map[int]bool{}
	var names []string
	var errs []error
	for s := range t.marks {
		addr := s.server.Address.Addr()
		if s.ipv6 || !addr.Is4() {
			continue // IPv6 has no such filters
		}
		routes, err := netlink.RouteGet(net.IP(addr.AsSlice()))
		if err != nil || len(routes) == 0 {
			continue // the check itself says that there is no way
		}
		index := routes[0].LinkIndex
		if seen[index] {
			continue
		}
		seen[index] = true
		link, err := netlink.LinkByIndex(index)
		if err != nil {
			errs = append(errs, fmt.Errorf("find the interface towards %v: %w", addr, err))
			continue
		}
		names = append(names, link.Attrs().Name)
	}
	return names, errors.Join(errs...)
}

// viaSettings adds the sysctls of one interface. Reverse path filtering is made loose
// where it is strict.
func viaSettings(name string, want map[string]string) error {
	want[sysctl.Key("ipv4", name, "accept_local")] = viaValues["accept_local"]
	own, err := sysctl.Read(sysctl.Key("ipv4", name, "rp_filter"))
	all, err2 := sysctl.Read(sysctl.Key("ipv4", "all", "rp_filter"))
	if max(own, all) != "0" { // the kernel uses the larger one; one that is loose stays so
		want[sysctl.Key("ipv4", name, "rp_filter")] = viaValues["rp_filter"]
	}
	return errors.Join(err, err2)
}

// applyVia sets the sysctls that the answers to checks through the address of a
// service need, and puts back those that are not needed any more.
func (b *balancer) applyVia() error {
	saved := b.memory.Interfaces()
	if len(b.via.marks) == 0 && len(saved) == 0 {
		return nil
	}
	want, err := b.ways.settings(b.via, time.Now())
	errs := []error{err}
	former := maps.Clone(saved)
	if former == nil {
		former = map[string]string{}
	}
	for key, value := range want {
		now, err := sysctl.Read(key)
		if err != nil {
			errs = append(errs, err)
			delete(want, key)
			continue
		}
		if _, known := former[key]; !known && now != value {
			former[key] = now
		}
	}
	if !maps.Equal(former, saved) {
		if err := b.memory.SetInterfaces(former); err != nil {
			return errors.Join(append(errs, fmt.Errorf("save the former settings of interfaces: %w", err))...)
		}
	}
	for key, value := range want {
		errs = append(errs, b.setInterface(key, value))
	}
	for key, was := range former {
		if _, wanted := want[key]; wanted {
			continue
		}
		if err := b.unsetInterface(key, was); err != nil {
			errs = append(errs, err)
			continue
		}
		delete(former, key)
	}
	if !maps.Equal(former, b.memory.Interfaces()) {
		errs = append(errs, b.memory.SetInterfaces(former))
	}
	return errors.Join(errs...)
}

func (b *balancer) setInterface(key, value string) error {
	if now, err := sysctl.Read(key); err != nil || now == value {
		return err
	}
	if err := sysctl.Write(key, value); err != nil {
		return err
	}
	b.log.Info("set for checks through the address of a service", "sysctl", sysctl.Name(key), "value", value)
	return nil
}

// unsetInterface puts a sysctl back, unless its interface is gone or somebody else
// has changed it.
func (b *balancer) unsetInterface(key, was string) error {
	now, err := sysctl.Read(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || now != viaValues[path.Base(key)] {
		return err
	}
	return sysctl.Write(key, was)
}
