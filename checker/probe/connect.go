package probe

// Connects reports whether a check with these settings opens a TCP connection to the
// port of its Target, so that a connection alone can stand for it now and then.
func Connects(s Settings) bool {
	if d, ok := s.(datagramKind); ok && d.Datagrams() {
		return false
	}
	return s.Needs() == NeedsPort
}

// datagramKind are the Settings of kinds that send datagramKind.
type datagramKind interface{ Datagrams() bool }

// Datagrams returns true.
func (UDP) Datagrams() bool { return true }

// Datagrams returns true.
func (DNS) Datagrams() bool { return true }

// Datagrams returns true.
func (NTP) Datagrams() bool { return true }

// Datagrams returns true.
func (RADIUS) Datagrams() bool { return true }

// Datagrams reports whether the question goes over UDP.
func (s SIP) Datagrams() bool { return s.Transport == "udp" }
