// Package bfd speaks Bidirectional Forwarding Detection: RFC 5880, over a
// single hop (RFC 5881) or several (RFC 5883), over IPv4 and IPv6, in
// asynchronous mode. It detects within a fraction of a second that a router is
// dead or cannot be reached.
//
// [Packet] and machine are pure: bytes, events and the time come in, packets and
// transitions go out. The table finds the session that a packet is for and keeps
// the deadlines. A [Speaker] runs all sessions with real sockets and real time, in
// one goroutine:
//
//	s, err := bfd.NewSpeaker(bfd.Options{Log: log, OnChange: queueChange})
//	s.Apply(configs, nil, 0) // at the start and after every change of configuration
//	…
//	s.Close()
//
// Not implemented: the echo function (Required Min Echo RX Interval is 0), demand
// mode of our own (a neighbour may use it), and authentication.
package bfd
