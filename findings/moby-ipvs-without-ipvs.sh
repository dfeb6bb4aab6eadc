#!/bin/sh
# moby/ipvs 1.1.0 on a kernel without IPVS: every change succeeds, and every
# service is present.
#
# The library asks for IPVS's generic netlink family and gets 0 when there is
# none. It then sends its requests to family 0, where the kernel acknowledges
# them. A director whose ip_vs module is missing believes that it serves. Check
# /proc/net/ip_vs, or resolve the family yourself.
#
# Seen on Linux 6.18.44, which has no ip_vs, with github.com/moby/ipvs v1.1.0:
#
#   /proc/net/ip_vs is there: false
#   make a handle: <nil>
#   add a service: <nil>
#   the service is present: true
#   add a server: <nil>
#   delete the service: <nil>
#   as described
. "$(dirname "$0")/lib.sh"
gomod github.com/moby/ipvs@v1.1.0 <<'GO'
package main

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/moby/ipvs"
)

func main() {
	_, err := os.Stat("/proc/net/ip_vs")
	fmt.Println("/proc/net/ip_vs is there:", err == nil)
	h, err := ipvs.New("")
	fmt.Println("make a handle:", err)
	service := &ipvs.Service{Address: net.IPv4(10, 0, 0, 100).To4(), Port: 80, Protocol: syscall.IPPROTO_TCP,
		AddressFamily: syscall.AF_INET, SchedName: "wlc", Netmask: 0xffffffff}
	fmt.Println("add a service:", h.NewService(service))
	fmt.Println("the service is present:", h.IsServicePresent(service))
	server := &ipvs.Destination{Address: net.IPv4(10, 0, 0, 11).To4(), Port: 80, Weight: 1, AddressFamily: syscall.AF_INET}
	fmt.Println("add a server:", h.NewDestination(service, server))
	fmt.Println("delete the service:", h.DelService(service))
}
GO
if [ -e /proc/net/ip_vs ]; then cannot "this kernel has IPVS; load no ip_vs module, or try another machine"; fi
namespace empty
at empty ./main >seen
said() { sed -n "s|^$1: ||p" seen; }
same "/proc/net/ip_vs is there" false "$(said /proc/net/ip_vs\ is\ there)"
same "make a handle" "<nil>" "$(said 'make a handle')"
same "add a service" "<nil>" "$(said 'add a service')"
same "the service is present" true "$(said 'the service is present')"
same "add a server" "<nil>" "$(said 'add a server')"
same "delete the service" "<nil>" "$(said 'delete the service')"
finish
