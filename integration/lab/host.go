package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A Host is a machine of the lab: a network namespace.
type Host struct {
	Name string
	lab  *Lab
	ns   netns.NsHandle
	link *netlink.Handle
	// Wires by device name.
	Wires map[string]*Wire
}

// A Switch connects hosts: a bridge that floods multicast, like a plain switch.
type Switch struct {
	Name   string
	lab    *Lab
	bridge netlink.Link
	ports  int
}

// A Wire is a host's connection to a switch.
type Wire struct {
	Host   *Host
	Switch *Switch
	Device string // the host's end
	MAC    MAC    // of the host's end
	Port   string // the switch's end
	port   netlink.Link
}

// Host makes a host. It has lo up, IPv6 without duplicate address detection,
// and no reverse path filter.
func (l *Lab) Host(name string) *Host {
	l.t.Helper()
	ns, err := newNamespace()
	if err != nil {
		l.t.Fatalf("host %s: %v", name, err)
	}
	handle, err := netlink.NewHandleAt(ns)
	if err != nil {
		l.t.Fatalf("host %s: open netlink: %v", name, err)
	}
	h := &Host{Name: name, lab: l, ns: ns, link: handle, Wires: map[string]*Wire{}}
	l.mu.Lock()
	l.hosts = append(l.hosts, h)
	l.mu.Unlock()
	// A new namespace takes IPv4's settings from the machine it is made on:
	// say what matters, so that every machine tests the same.
	for _, which := range []string{"all", "default"} {
		h.Sysctl("net/ipv4/conf/"+which+"/rp_filter", "0")
		h.Sysctl("net/ipv4/conf/"+which+"/arp_ignore", "0")
		h.Sysctl("net/ipv4/conf/"+which+"/arp_announce", "0")
		h.Sysctl("net/ipv6/conf/"+which+"/accept_dad", "0")
		h.Sysctl("net/ipv6/conf/"+which+"/accept_ra", "0")
	}
	h.Sysctl("net/ipv6/conf/default/dad_transmits", "0")
	lo, err := handle.LinkByName("lo")
	if err == nil {
		err = handle.LinkSetUp(lo)
	}
	if err != nil {
		l.t.Fatalf("host %s: bring lo up: %v", name, err)
	}
	return h
}

func (h *Host) close() error {
	var errs []error
	pids, err := processesInside(h.ns)
	errs = append(errs, err)
	for _, pid := range pids {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("end process %d: %w", pid, err))
		}
	}
	h.link.Close()
	return errors.Join(append(errs, h.ns.Close())...)
}

// Do runs f on a thread in the host's namespace: sockets that f opens are the
// host's. f must not end the test.
func (h *Host) Do(f func() error) error { return inside(h.ns, f) }

// Link speaks netlink in the host.
func (h *Host) Link() *netlink.Handle { return h.link }

// Switch makes a switch. Its name is at most 15 characters.
func (l *Lab) Switch(name string) *Switch {
	l.t.Helper()
	snooping := false
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}, MulticastSnooping: &snooping}
	if err := l.fabric.link.LinkAdd(bridge); err != nil {
		l.t.Fatalf("switch %s: %v", name, err)
	}
	if err := l.fabric.link.LinkSetUp(bridge); err != nil {
		l.t.Fatalf("switch %s: bring up: %v", name, err)
	}
	return &Switch{Name: name, lab: l, bridge: bridge}
}

// Plug connects the host to a switch over a new device with the addresses,
// each written with its prefix length.
func (h *Host) Plug(s *Switch, device string, addresses ...string) *Wire {
	h.lab.t.Helper()
	s.ports++
	h.lab.mu.Lock()
	h.lab.macs++
	mac := MAC{0x02, 0, 0, 0, 0, h.lab.macs}
	h.lab.mu.Unlock()
	w := &Wire{Host: h, Switch: s, Device: device, MAC: mac, Port: fmt.Sprintf("%.7s-%.5s%d", s.Name, h.Name, s.ports)}
	if err := w.plug(addresses); err != nil {
		h.lab.t.Fatalf("plug %s of %s into %s: %v", device, h.Name, s.Name, err)
	}
	h.Wires[device] = w
	return w
}

func (w *Wire) plug(addresses []string) error {
	here, there := w.Host.link, w.Switch.lab.fabric
	veth := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: w.Device, HardwareAddr: w.MAC[:]},
		PeerName:  w.Port, PeerNamespace: netlink.NsFd(there.ns),
	}
	if err := here.LinkAdd(veth); err != nil {
		return err
	}
	port, err := there.link.LinkByName(w.Port)
	if err != nil {
		return err
	}
	w.port = port
	if err := there.link.LinkSetMaster(port, w.Switch.bridge); err != nil {
		return err
	}
	if err := there.link.LinkSetUp(port); err != nil {
		return err
	}
	device, err := here.LinkByName(w.Device)
	if err != nil {
		return err
	}
	if err := here.LinkSetUp(device); err != nil {
		return err
	}
	for _, text := range addresses {
		if err := addAddress(here, device, text); err != nil {
			return err
		}
	}
	return awaitCarrier(here, w.Device)
}

// Attach gives the host a device that leads nowhere: it has a carrier, and nobody else is
// on the wire.
func (h *Host) Attach(device string, mac MAC) {
	h.lab.t.Helper()
	h.lab.mu.Lock()
	h.lab.macs++
	port := fmt.Sprintf("nowhere%d", h.lab.macs)
	h.lab.mu.Unlock()
	there := h.lab.fabric
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: device, HardwareAddr: mac[:]}, PeerName: port, PeerNamespace: netlink.NsFd(there.ns)}
	err := h.link.LinkAdd(veth)
	for _, end := range []struct {
		handle *netlink.Handle
		name   string
	}{{there.link, port}, {h.link, device}} {
		var link netlink.Link
		if err == nil {
			link, err = end.handle.LinkByName(end.name)
		}
		if err == nil {
			err = end.handle.LinkSetUp(link)
		}
	}
	if err == nil {
		err = awaitCarrier(h.link, device)
	}
	if err != nil {
		h.lab.t.Fatalf("host %s: device %s: %v", h.Name, device, err)
	}
}

// unhurried is how long the kernel may take to process a link that came up. It has
// one lock for all namespaces, and other tests may be making and removing many.
const unhurried = 30 * time.Second

// awaitCarrier waits until the kernel has seen a carrier. Before that it drops
// every packet.
func awaitCarrier(handle *netlink.Handle, name string) error {
	for end := time.Now().Add(scaled(unhurried)); ; time.Sleep(time.Millisecond) {
		device, err := handle.LinkByName(name)
		switch {
		case err != nil:
			return err
		case device.Attrs().OperState == netlink.OperUp:
			return nil
		case time.Now().After(end):
			return fmt.Errorf("no carrier within %v", scaled(unhurried))
		}
	}
}

func addAddress(handle *netlink.Handle, device netlink.Link, text string) error {
	address, err := netlink.ParseAddr(text)
	if err != nil {
		return err
	}
	if address.IP.To4() == nil {
		address.Flags = unix.IFA_F_NODAD
	}
	if err := handle.AddrAdd(device, address); err != nil {
		return fmt.Errorf("add address %s: %w", text, err)
	}
	return nil
}

// Address puts one more address, with its prefix length, on a device.
func (h *Host) Address(device, address string) {
	h.lab.t.Helper()
	link, err := h.link.LinkByName(device)
	if err == nil {
		err = addAddress(h.link, link, address)
	}
	if err != nil {
		h.lab.t.Fatalf("host %s: %s: %v", h.Name, device, err)
	}
}

// IfIndex is the number of a device.
func (h *Host) IfIndex(device string) int {
	h.lab.t.Helper()
	link, err := h.link.LinkByName(device)
	if err != nil {
		h.lab.t.Fatalf("host %s: %s: %v", h.Name, device, err)
	}
	return link.Attrs().Index
}

// DefaultRoute sends everything unknown to a gateway.
func (h *Host) DefaultRoute(gateway string) {
	h.lab.t.Helper()
	via := netip.MustParseAddr(gateway)
	if err := h.link.RouteAdd(&netlink.Route{Gw: net.IP(via.AsSlice())}); err != nil {
		h.lab.t.Fatalf("host %s: default route via %s: %v", h.Name, gateway, err)
	}
}

// Route sends packets for a prefix to a gateway.
func (h *Host) Route(prefix, gateway string) {
	h.lab.t.Helper()
	_, to, err := net.ParseCIDR(prefix)
	if err == nil {
		err = h.link.RouteAdd(&netlink.Route{Dst: to, Gw: net.IP(netip.MustParseAddr(gateway).AsSlice())})
	}
	if err != nil {
		h.lab.t.Fatalf("host %s: route %s via %s: %v", h.Name, prefix, gateway, err)
	}
}

// Sysctl sets a kernel parameter of the host, named by its path below
// /proc/sys.
func (h *Host) Sysctl(path, value string) {
	h.lab.t.Helper()
	err := h.Do(func() error {
		return os.WriteFile(filepath.Join("/proc/sys", path), []byte(value), 0)
	})
	if err != nil {
		h.lab.t.Fatalf("host %s: set %s: %v", h.Name, path, err)
	}
}

// Cut pulls the wire: the host sees its carrier go.
func (w *Wire) Cut() { w.set("cut", w.fabric().LinkSetDown) }

// Replug plugs the wire in again.
func (w *Wire) Replug() { w.set("replug", w.fabric().LinkSetUp) }

// BlackHole makes the switch drop whatever comes over the wire in either
// direction; the host's carrier stays.
func (w *Wire) BlackHole() {
	w.set("black-hole", func(port netlink.Link) error { return w.portSetting(port, nl.IFLA_BRPORT_STATE, 0) })
}

// Deafen drops all multicast to the host. Frames from the host still pass.
func (w *Wire) Deafen() {
	w.set("deafen", func(port netlink.Link) error { return w.portSetting(port, nl.IFLA_BRPORT_MCAST_FLOOD, 0) })
}

// Restore ends a black hole.
func (w *Wire) Restore() {
	w.set("restore", func(port netlink.Link) error { return w.portSetting(port, nl.IFLA_BRPORT_STATE, 3) })
}

func (w *Wire) fabric() *netlink.Handle { return w.Switch.lab.fabric.link }

func (w *Wire) set(what string, f func(netlink.Link) error) {
	w.Host.lab.t.Helper()
	if err := f(w.port); err != nil {
		w.Host.lab.t.Fatalf("%s the wire %s of %s: %v", what, w.Device, w.Host.Name, err)
	}
}

// portSetting sets something of the switch's port: IFLA_BRPORT_STATE, its state
// in the spanning tree, is 0 disabled, 3 forwarding.
func (w *Wire) portSetting(port netlink.Link, what int, value byte) error {
	return w.Switch.lab.fabric.Do(func() error {
		request := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
		message := nl.NewIfInfomsg(unix.AF_BRIDGE)
		message.Index = int32(port.Attrs().Index)
		request.AddData(message)
		settings := nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, nil)
		settings.AddRtAttr(what, []byte{value})
		request.AddData(settings)
		_, err := request.Execute(unix.NETLINK_ROUTE, 0)
		return err
	})
}

// Forget makes the switch forget behind which port each MAC address is: it
// floods until it has learnt anew.
func (s *Switch) Forget() {
	s.lab.t.Helper()
	handle := s.lab.fabric.link
	entries, err := handle.NeighList(0, unix.AF_BRIDGE)
	if err != nil {
		s.lab.t.Fatalf("switch %s: list learnt addresses: %v", s.Name, err)
	}
	for _, entry := range entries {
		if entry.MasterIndex != s.bridge.Attrs().Index || entry.State&netlink.NUD_PERMANENT != 0 {
			continue
		}
		entry.Flags = netlink.NTF_MASTER // the bridge's table, not the port's own
		if err := handle.NeighDel(&entry); err != nil && !errors.Is(err, unix.ENOENT) {
			s.lab.t.Fatalf("switch %s: forget %v: %v", s.Name, entry.HardwareAddr, err)
		}
	}
}

// FlushNeighbours makes the host forget every MAC address that it has learnt.
func (h *Host) FlushNeighbours() {
	h.lab.t.Helper()
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		entries, err := h.link.NeighList(0, family)
		if err != nil {
			h.lab.t.Fatalf("host %s: list neighbours: %v", h.Name, err)
		}
		for _, entry := range entries {
			if entry.State&(netlink.NUD_PERMANENT|netlink.NUD_NOARP) != 0 {
				continue
			}
			err := h.link.NeighDel(&entry)
			if err != nil && !errors.Is(err, unix.ENOENT) {
				h.lab.t.Fatalf("host %s: forget %s: %v", h.Name, entry.IP, err)
			}
		}
	}
}
