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
	to, err := socknameOf(netip.AddrPortFrom(a, 9)) // any port
	if err != nil {
		return netip.Addr{}, err
	}
	family := unix.AF_INET
	if a.Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return netip.Addr{}, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	if errno := connectNow(fd, &to); errno != 0 {
		return netip.Addr{}, os.NewSyscallError("find the source towards "+a.String(), errno)
	}
	local := localName(fd)
	if source := local.address().Addr(); source.IsValid() {
		return source, nil
	}
	return netip.Addr{}, fmt.Errorf("the kernel does not tell the source towards %v", a)
}
