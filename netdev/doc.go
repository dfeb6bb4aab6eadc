// Package netdev makes devices, addresses, sysctls and frames be as asked,
// tells when they change, and undoes what it did. It takes no decisions.
//
//   - [Port] hears VRRP on all interfaces and sends whole Ethernet frames.
//   - [AdvertFrame], [GratuitousARP] and [UnsolicitedNA] build those frames.
//   - [Host] owns the virtual devices: macvlans with a virtual MAC, their
//     addresses, and the sysctls without which they leak or lose traffic.
//   - [Watcher] tells of changes to links and addresses; a Host of writes to its
//     sysctls.
//   - [Preflight] says what the process may not do before it tries.
//
// # The virtual MAC on Linux
//
// A virtual address lives on a macvlan in bridge mode above the parent
// interface. In private mode the kernel hands a multicast frame whose source is
// the MAC of a macvlan that is up to that macvlan only, so two MASTERs with one
// virtual MAC could not hear each other on the parent
// (drivers/net/macvlan.c macvlan_handle_frame).
//
// A device is in one of three states. Bare: down, without addresses; it emits
// nothing and the host takes nothing for its own (an address on a device that
// is down is still local to the host). Claimed: up, with all addresses. Muted:
// as claimed, but with IFF_NOARP, so that it answers no ARP and no neighbour
// solicitation, and goes on serving those who know the MAC.
//
// Everything works in the network namespace of the thread that opens a Port,
// Host or Watcher, and nothing reads /sys.
package netdev
