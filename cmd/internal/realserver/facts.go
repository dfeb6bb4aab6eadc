package realserver

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"holdfast/netdev/sysctl"
)

const iffNoARP = unix.IFF_NOARP

// A holder is a device that has an address.
type holder struct {
	Device string
	Prefix netip.Prefix
	Quiet  bool // other hosts cannot ask on the device who has the address
}

// facts are what the kernel has now.
type facts struct {
	Holders map[netip.Addr][]holder
	Links   map[string]bool // whether a device is up
	// ARP are the effective values of interfaces that other hosts can ask.
	ARP   map[string]arpFacts
	Paths map[string]string // effective rp_filter by device
	Ports map[port]bool     // whether the GUE port is open
	// DefaultDevice is the device of the IPv4 default route; "" without one.
	DefaultDevice string
}

type arpFacts struct{ Ignore, Announce string }

// holders returns the devices that have an address.
func holders(vip netip.Addr) ([]holder, error) {
	all, err := allHolders()
	return all[vip], err
}

func allHolders() (map[netip.Addr][]holder, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	byIndex := map[int]netlink.Link{}
	for _, l := range links {
		byIndex[l.Attrs().Index] = l
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	all := map[netip.Addr][]holder{}
	for _, a := range addresses {
		ip, ok := netip.AddrFromSlice(a.IP)
		link := byIndex[a.LinkIndex]
		if !ok || link == nil {
			continue
		}
		bits, _ := a.Mask.Size()
		ip = ip.Unmap()
		all[ip] = append(all[ip], holder{link.Attrs().Name, netip.PrefixFrom(ip, bits), !answersARP(link)})
	}
	return all, nil
}

// gather reads the facts that concern the VIPs.
func gather(vips map[netip.Addr]vipState) (*facts, error) {
	f := &facts{Links: map[string]bool{}, ARP: map[string]arpFacts{}, Paths: map[string]string{}, Ports: map[port]bool{}}
	var err error
	if f.Holders, err = allHolders(); err != nil {
		return nil, err
	}
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	for _, link := range links {
		if err := f.link(link); err != nil {
			return nil, err
		}
	}
	for vip, v := range vips {
		o := v.options(vip)
		if n := o.needs(vip); n.Port != 0 {
			p := port{n.Port, n.PortIPv6}
			if f.Ports[p], err = hasPort(p); err != nil && !familyMissing(err) {
				return nil, err
			}
		}
	}
	return f, f.defaultRoute()
}

// link reads the facts of one device.
func (f *facts) link(link netlink.Link) error {
	name := link.Attrs().Name
	f.Links[name] = isUp(link)
	if !isUp(link) || link.Attrs().Flags&net.FlagLoopback != 0 {
		return nil
	}
	var errs []error
	effective := func(what string) string {
		value, err := effective(name, what)
		if err != nil && !absent(err) { // a device may vanish meanwhile
			errs = append(errs, err)
		}
		return value
	}
	f.Paths[name] = effective("rp_filter")
	if answersARP(link) {
		f.ARP[name] = arpFacts{effective("arp_ignore"), effective("arp_announce")}
	}
	return errors.Join(errs...)
}

// effective returns the larger of the values of all interfaces and of one, which is
// what the kernel uses (IN_DEV_MAXCONF in include/linux/inetdevice.h).
func effective(device, what string) (string, error) {
	all, err := sysctl.Read(sysctl.Key("ipv4", "all", what))
	if err != nil {
		return "", err
	}
	own, err := sysctl.Read(sysctl.Key("ipv4", device, what))
	if err != nil {
		return "", err
	}
	return max(all, own), nil // one digit each
}

func (f *facts) defaultRoute() error {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("list routes: %w", err)
	}
	for _, r := range routes {
		if r.Dst != nil && !r.Dst.IP.IsUnspecified() {
			continue
		}
		link, err := netlink.LinkByIndex(r.LinkIndex)
		if err == nil {
			f.DefaultDevice = link.Attrs().Name
			return nil
		}
	}
	return nil
}

// interfaces returns the devices that other hosts can ask, sorted.
func (f *facts) interfaces() []string { return slices.Sorted(maps.Keys(f.ARP)) }

// absent reports whether an error says that a file does not exist.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// familyMissing reports whether an error says that the module fou is not loaded.
func familyMissing(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, unix.EOPNOTSUPP)
}
