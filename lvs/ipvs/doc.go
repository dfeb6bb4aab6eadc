// Package ipvs is the [lvs.Kernel] of Linux. It reads and changes the IPVS table
// of the process's network namespace by generic netlink.
//
// It uses no library for IPVS. github.com/moby/ipvs v1.1.0 leaves out the address
// family of a server, knows no tunnels, sync daemons and persistence engines,
// reads 16 bits of a weight and 32 of a counter, needs a round trip for each
// change, and waits for an answer without a limit.
//
// No call of this package waits for ever. One that gets no answer in time returns
// an error that wraps [lvs.ErrUnanswered].
package ipvs
