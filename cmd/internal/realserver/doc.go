// Package realserver prepares a realserver of DR or TUN: it gives the host the VIPs
// without letting it answer ARP for them, and takes all that back.
//
//	options.go   what the user asks for, and what that needs of the kernel (pure)
//	up.go        Up makes it so; down.go: Down takes it back
//	state.go     the file with what Up changed, so that Down puts back only that
//	kernel.go    devices, addresses and tunnels, by netlink
//	facts.go     what the kernel has now; findings.go: what is wrong with it (pure)
//
// What the kernel needs for the two methods:
//
//   - The VIP is an address of a device that does not ask or answer ARP: lo, a dummy
//     or the tunnel's. Its prefix has full length. With a shorter one Linux takes the
//     whole network of lo as its own.
//   - arp_ignore = 1 and arp_announce = 2 (Documentation/networking/ip-sysctl.rst).
//     Linux otherwise answers ARP on each interface for all addresses of the host.
//     IPv6 needs nothing: neighbour discovery answers only for addresses of the
//     interface that was asked (net/ipv6/ndisc.c, ndisc_recv_ns).
//   - TUN: a device that takes the packets out of the tunnel, and an rp_filter there
//     that is not strict, because the way back to the client is not the tunnel.
package realserver
