// Package bfd speaks Bidirectional Forwarding Detection: RFC 5880, over a
// single hop (RFC 5881) or several (RFC 5883), over IPv4 and IPv6, in
// asynchronous mode. It detects within a fraction of a second that a router is
// dead or cannot be reached.
//
// [Packet] and machine are pure: bytes, events and the time come in, packets and
// transitions go out. The table finds the session that a packet is for and keeps
// the deadlines. A [Speaker] runs all sessions with real sockets and real time. It
// has no goroutine of its own: a [Loop] runs it, in holdfast the VRRP loop on its
// real-time thread.
//
//	s := bfd.NewSpeaker(bfd.Options{Log: log, OnChange: queueChange, Loop: port})
//	go func() {
//		defer s.End()
//		for wait(s.Deadline()) { // for the port, too
//			s.Turn()
//		}
//	}()
//	s.Apply(configs, nil, 0) // at the start and after every change of configuration
//
// Sessions that are wanted at run time, beside those of the configuration, belong to
// a [User]. They share the session of the configuration with the same neighbour on
// the same interface:
//
//	s.Add(bfd.User{Config: bfd.Config{Name: "my name", Neighbour: peer, Interface: "eth0", …}, Heed: take})
//	…
//	s.Remove("my name")
//
// Heed is called in the loop at the moment of each [Change], before the VRRP loop runs
// its commands: a command that Heed queues without waiting is run in the same turn.
// If Change.Late is not 0, this machine was late itself, and a fall says nothing
// about the neighbour. [Status.Users] names the users of a session, and
// Status.Trouble says why it cannot receive or send, such as another program at the
// port.
//
// A packet counts from the moment at which the kernel received it, and everything
// that waits is read before a session is taken down. So a loop that is late does not
// make a session fall while the neighbour's packets arrive.
//
// Not implemented: the echo function (Required Min Echo RX Interval is 0), demand
// mode of our own (a neighbour may use it), and authentication.
package bfd
