package netdev

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// LinkUp returns nil if an interface is up and has a carrier, and otherwise
// what it lacks.
func LinkUp(name string) error {
	found, err := netlink.LinkByName(name)
	if _, missing := errors.AsType[netlink.LinkNotFoundError](err); missing {
		return fmt.Errorf("interface %s does not exist", name)
	}
	if err != nil {
		return fmt.Errorf("look at interface %s: %w", name, err)
	}
	l := link{flags: found.Attrs().RawFlags}
	switch {
	case l.up():
		return nil
	case l.flags&unix.IFF_UP != 0:
		return fmt.Errorf("interface %s has no carrier", name)
	}
	return fmt.Errorf("interface %s is down", name)
}
