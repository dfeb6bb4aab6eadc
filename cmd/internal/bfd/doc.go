// Package bfd speaks Bidirectional Forwarding Detection: RFC 5880, over a
// single hop (RFC 5881) or several (RFC 5883), over IPv4 and IPv6, in
// asynchronous mode. It is how a router that is dead, or cannot be reached, is
// found out in a part of a second.
//
// [Packet] and machine decide: bytes, events and the time come in, packets and
// transitions go out. The table finds whom a packet is for and keeps the
// deadlines. A [Speaker] runs all sessions against real sockets and real time,
// in one goroutine.
//
// Left out: the echo function (Required Min Echo RX Interval is 0), demand mode
// of our own (a neighbour's is heeded), and authentication.
package bfd
