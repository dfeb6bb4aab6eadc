// Package snmp presents virtual routers to SNMP managers. It serves the VRRPV3-MIB
// (RFC 6527), which covers both versions of VRRP, and sends the notifications of
// that MIB. It does so as a sub-agent of the host's SNMP agent (AgentX, RFC 2741).
//
// All objects are read-only. Their values come from a status.Status that is at
// most a second old. The director reports the events for notifications, and never
// waits for this package to send them.
package snmp
