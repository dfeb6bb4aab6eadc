package bfd

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// The ports that packets are sent to (RFC 5881 §4, RFC 5883 §5), and those that
// they may come from.
const (
	singlePort    = 3784
	multihopPort  = 4784
	firstFromPort = 49152
	fromPorts     = 65536 - firstFromPort
)

func family(v6 bool) int {
	if v6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// sockaddr returns an address for the kernel; the zero Addr is any.
func sockaddr(a netip.Addr, v6 bool, zone int, port uint16) unix.Sockaddr {
	if v6 {
		s := &unix.SockaddrInet6{Port: int(port)}
		if a.IsValid() {
			s.Addr = a.As16()
			if a.IsLinkLocalUnicast() {
				s.ZoneId = uint32(zone)
			}
		}
		return s
	}
	s := &unix.SockaddrInet4{Port: int(port)}
	if a.IsValid() {
		s.Addr = a.As4()
	}
	return s
}

// deviceIndex returns the index of an interface; that of "" is 0.
func deviceIndex(name string) (int, error) {
	if name == "" {
		return 0, nil
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("look for interface %s: %w", name, err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request)
	}
	if errors.Is(err, unix.ENODEV) {
		return 0, fmt.Errorf("there is no interface %s", name)
	}
	if err != nil {
		return 0, fmt.Errorf("look for interface %s: %w", name, err)
	}
	return int(request.Uint32()), nil
}
