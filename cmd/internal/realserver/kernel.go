package realserver

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// find returns a device; nil if it does not exist.
func find(name string) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	if _, missing := errors.AsType[netlink.LinkNotFoundError](err); missing {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for device %s: %w", name, err)
	}
	return link, nil
}

// modprobePath finds modprobe also for a root whose PATH is that of another user.
func modprobePath() string {
	for _, path := range []string{"modprobe", "/usr/sbin/modprobe", "/sbin/modprobe"} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	return "modprobe"
}

// modprobe loads the module of a tunnel. The kernel has the module's device in each
// network namespace from then on.
func modprobe(ctx context.Context, module string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, modprobePath(), module)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("load module %s with modprobe: %w", module, cmp.Or(said(out, err), err))
	}
	return nil
}

// said returns an error with what a program said about it; nil if it said nothing.
func said(output []byte, err error) error {
	text := strings.TrimSpace(string(output))
	if text == "" {
		return nil
	}
	return fmt.Errorf("%w: %s", err, text)
}

func makeDummy(name string) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	if err := netlink.LinkAdd(&netlink.Dummy{LinkAttrs: attrs}); err != nil {
		return fmt.Errorf("make dummy device %s: %w", name, err)
	}
	return nil
}

// address returns a prefix in the form of netlink. IFA_F_NODAD: the VIP is on
// other hosts of the network too, which duplicate address detection must not find.
func address(p netip.Prefix) *netlink.Addr {
	a := &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD
	}
	return a
}

func addAddress(link netlink.Link, p netip.Prefix) error {
	err := netlink.AddrAdd(link, address(p))
	if errors.Is(err, syscall.EACCES) && p.Addr().Is6() { // ipv6_add_dev in net/ipv6/addrconf.c
		return fmt.Errorf("add %v to %s: IPv6 is switched off there: net.ipv6.conf.%s.disable_ipv6 must be 0", p, link.Attrs().Name, link.Attrs().Name)
	}
	if err != nil && !errors.Is(err, syscall.EEXIST) {
		return fmt.Errorf("add %v to %s: %w", p, link.Attrs().Name, err)
	}
	return nil
}

// removeAddress reports false if the device did not have the address.
func removeAddress(link netlink.Link, p netip.Prefix) (removed bool, err error) {
	err = netlink.AddrDel(link, address(p))
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("remove %v from %s: %w", p, link.Attrs().Name, err)
	}
	return true, nil
}

// fou returns a GUE port in the form of netlink.
func fou(p port) netlink.Fou {
	family := netlink.FAMILY_V4
	if p.IPv6 {
		family = netlink.FAMILY_V6
	}
	return netlink.Fou{Family: family, Port: int(p.Number), EncapType: netlink.FOU_ENCAP_GUE}
}

// hasPort reports whether the kernel takes GUE packets on a port.
func hasPort(p port) (bool, error) {
	family := fou(p).Family
	all, err := netlink.FouList(family)
	if err != nil {
		return false, fmt.Errorf("list the ports of fou: %w", err)
	}
	for _, f := range all {
		if f.Family == family && f.Port == int(p.Number) {
			return true, nil
		}
	}
	return false, nil
}

func openPort(ctx context.Context, p port) error {
	err := addPort(p)
	if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
		module := "fou"
		if p.IPv6 {
			module = "fou6"
		}
		if loading := modprobe(ctx, module); loading != nil {
			return fmt.Errorf("take GUE on port %d: %w; %w", p.Number, err, loading)
		}
		err = addPort(p)
	}
	if err != nil {
		return fmt.Errorf("take GUE on port %d: %w", p.Number, err)
	}
	return nil
}

// addPort does what netlink.FouAdd should: that of v1.3.1 always sends an IP protocol,
// and Linux refuses its 0 with ERANGE (fou_nl_policy in net/ipv4/fou_nl.c).
func addPort(p port) error {
	family, err := netlink.FouFamilyId()
	if err != nil {
		return err
	}
	f := fou(p)
	req := nl.NewNetlinkRequest(family, unix.NLM_F_ACK)
	req.AddData(&nl.Genlmsg{Command: netlink.FOU_CMD_ADD, Version: 1})
	req.AddData(nl.NewRtAttr(netlink.FOU_ATTR_PORT, binary.BigEndian.AppendUint16(nil, p.Number)))
	req.AddData(nl.NewRtAttr(netlink.FOU_ATTR_TYPE, []byte{netlink.FOU_ENCAP_GUE}))
	req.AddData(nl.NewRtAttr(netlink.FOU_ATTR_AF, []byte{byte(f.Family)}))
	_, err = req.Execute(unix.NETLINK_GENERIC, 0)
	return err
}

func closePort(p port) error {
	if err := netlink.FouDel(fou(p)); err != nil && !errors.Is(err, syscall.ENOENT) {
		return fmt.Errorf("close the GUE port %d: %w", p.Number, err)
	}
	return nil
}

// setting up and down of devices

func raise(link netlink.Link) error {
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", link.Attrs().Name, err)
	}
	return nil
}

func isUp(link netlink.Link) bool { return link.Attrs().Flags&net.FlagUp != 0 }
