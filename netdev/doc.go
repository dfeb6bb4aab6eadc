// Package netdev makes devices, addresses and sysctls in the kernel be as asked,
// reports when somebody changes them, and undoes what it did. It takes no
// decisions.
//
//   - [Host] owns the virtual devices: macvlans with a virtual MAC, their
//     addresses, and the sysctls without which they would leak or lose traffic.
//   - [Watcher] reports changes of links and addresses. A Host reports writes to its
//     sysctls ([Host.WatchSettings]).
//   - [Host.Conflicts] finds what others have in the kernel that is in the way.
//   - [Preflight] says what the process lacks before it tries.
//
// Its rooms are frame (bytes on the wire), port (sockets), rtnl (route netlink) and
// policy (routes, rules and egress).
//
// # The virtual MAC on Linux
//
// A virtual address lives on a macvlan in bridge mode above the parent interface.
// Private mode would not do: the kernel hands a multicast frame whose source is the
// MAC of a macvlan that is up to that macvlan only. So two MASTERs with one virtual
// MAC could not hear each other on the parent (drivers/net/macvlan.c
// macvlan_handle_frame).
//
// A device is in one of three states:
//
//   - Bare: down and without addresses. It sends nothing, and the host does not take
//     packets for the addresses. (An address on a device that is down would still
//     be local to the host.)
//   - Claimed: up, with all addresses.
//   - Muted: as Claimed, but with IFF_NOARP. It answers neither ARP nor neighbour
//     solicitations, and goes on serving hosts that know the MAC.
//
// # What it promises
//
// Every object is compared and repaired by itself, and an error names each that
// could not be repaired ([Failures]). The journal in the runtime directory is on disk
// before anything that it has to undo is changed. An interface that is reported as
// missing does not exist, however fast the kernel's tables change meanwhile.
//
// Everything works in the network namespace of the thread that opens a Host or
// Watcher. Nothing reads /sys.
package netdev
