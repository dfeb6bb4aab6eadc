package status

import (
	"fmt"
)

// snmp writes the state of the connection to the SNMP master agent.
func (s *Status) snmp(b *page) {
	n := s.SNMP
	if n == nil {
		return
	}
	state := "connected"
	if !n.Connected {
		state = "not connected"
	}
	fmt.Fprintf(b, "\nSNMP\n  %s to %s for %s, %s requests answered", state, n.AgentX, s.ago(n.Since), count(n.Requests))
	fmt.Fprintf(b, ", traps: %s sent, %d waiting, %s dropped\n", count(n.TrapsSent), n.TrapsQueued, count(n.TrapsDropped))
}
