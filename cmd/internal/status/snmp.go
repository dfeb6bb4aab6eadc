package status

import (
	"fmt"
	"time"
)

// SNMP is the state of the AgentX connection to the SNMP master agent.
type SNMP struct {
	AgentX    string    `json:"agentx"` // address of the master agent
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"`           // since when Connected has had this value
	Error     string    `json:"error,omitempty"` // why the daemon is not connected
	Requests  uint64    `json:"requests"`        // requests answered
	// TrapsSent counts traps that the master agent accepted. TrapsQueued is how
	// many traps wait to be sent. TrapsDropped counts traps that were dropped
	// because too many were queued, they were too old, or the master agent refused
	// them.
	TrapsSent    uint64 `json:"traps_sent"`
	TrapsQueued  int    `json:"traps_queued"`
	TrapsDropped uint64 `json:"traps_dropped"`
}

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

func (n *SNMP) unwell(say sayer) {
	if n != nil && !n.Connected && n.Error != "" {
		say("snmp: not connected to %s: %s", n.AgentX, n.Error)
	}
}
