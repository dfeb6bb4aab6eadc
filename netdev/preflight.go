package netdev

import (
	"errors"
	"fmt"
	"math"

	"holdfast/netdev/rtnl"
	"holdfast/netdev/sysctl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Preflight says what the process lacks for the work of this package in its network
// namespace: CAP_NET_ADMIN, CAP_NET_RAW, a writable /proc/sys/net. It tries each. In
// a user namespace the capability sets may be full and give no right over the
// network.
func Preflight() error {
	return errors.Join(tryAdmin(), tryRaw(), trySysctl())
}

func tryAdmin() error {
	c, err := rtnl.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	// The kernel checks the capability before it looks for the interface, and there
	// is no interface with this index.
	probe := linkRequest(unix.RTM_SETLINK, 0, math.MaxInt32, 0, 0)
	for _, err := range c.Do([]*nl.NetlinkRequest{probe}) {
		if errors.Is(err, unix.EPERM) {
			return fmt.Errorf("CAP_NET_ADMIN is missing (%w): run as root or grant it, to manage devices and addresses", err)
		}
	}
	return nil
}

func tryRaw() error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("CAP_NET_RAW is missing (%w): run as root or grant it, to send and receive adverts", err)
	}
	return unix.Close(fd)
}

func trySysctl() error {
	const file = sysctl.Root + "/ipv4/conf/all/rp_filter"
	fd, err := unix.Open(file, unix.O_WRONLY|unix.O_CLOEXEC, 0) // opening changes nothing
	if err != nil {
		return fmt.Errorf("/proc/sys/net cannot be written: %w", sysctl.Explain(err))
	}
	return unix.Close(fd)
}
