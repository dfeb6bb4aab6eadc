package probe

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// sourceToward returns the source that the kernel gives packets to an address. No
// packet is sent for it.
func sourceToward(a netip.Addr) (netip.Addr, error) {
	to, err := sockaddr(netip.AddrPortFrom(a, 9)) // any port
	if err != nil {
		return netip.Addr{}, err
	}
	family := unix.AF_INET
	if a.Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return netip.Addr{}, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, to); err != nil {
		return netip.Addr{}, os.NewSyscallError("find the source towards "+a.String(), err)
	}
	local, err := unix.Getsockname(fd)
	if err != nil {
		return netip.Addr{}, os.NewSyscallError("getsockname", err)
	}
	switch local := local.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(local.Addr), nil
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(local.Addr), nil
	}
	return netip.Addr{}, fmt.Errorf("the source towards %v is a %T", a, local)
}
