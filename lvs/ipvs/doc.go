// Package ipvs is the [lvs.Kernel] of Linux: it reads and changes the IPVS
// table of the process's network namespace.
//
// github.com/moby/ipvs makes, edits and deletes services and sets the
// connection timeouts. What it cannot say goes through generic netlink of our
// own over a second socket: servers (it drops the address family, so that an
// IPv6 server of an IPv4 service would become an IPv4 address made of its
// first four bytes, and it knows no tunnel), reading (it cuts weights to 16
// bits and counters to 32 and skips the persistence engine), the sync daemons,
// zeroing and the version.
//
// Two more of its habits are guarded against. Without the ip_vs module its
// requests go out with message type 0, which the kernel acknowledges: every
// change "succeeds". [Open] therefore insists on the generic netlink family
// first. And it waits for an answer without end: its calls run under a
// watchdog that closes its socket.
//
// No call waits for ever; one that gets no answer in time returns an error that
// wraps [lvs.ErrUnanswered].
package ipvs
