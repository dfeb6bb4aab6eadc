// Package ipvs is the [lvs.Kernel] of Linux. It reads and changes the IPVS table
// of the process's network namespace.
//
// github.com/moby/ipvs adds, edits and deletes services and sets the connection
// timeouts. For everything else the package sends generic netlink messages of
// its own over a second socket, because moby/ipvs v1.1.0
//
//   - leaves out the address family of a server, so that an IPv6 server of an
//     IPv4 service would become an IPv4 server with the first four bytes of its
//     address,
//   - does not know tunnels, sync daemons and the IPVS version,
//   - reads only 16 bits of a weight and 32 bits of a counter, and no persistence
//     engine.
//
// The package works around two more properties of moby/ipvs. Without the kernel
// module ip_vs, its requests have message type 0, which the kernel acknowledges:
// every change "succeeds". Therefore [Open] fails unless the generic netlink
// family exists. And moby/ipvs waits for an answer without a limit. Therefore a
// watchdog closes its socket if a call takes too long.
//
// No call of this package waits for ever. One that gets no answer in time returns
// an error that wraps [lvs.ErrUnanswered].
package ipvs
