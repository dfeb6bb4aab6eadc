// Package snmp shows virtual routers to SNMP managers: it serves the VRRPV3-MIB
// (RFC 6527), which covers both versions of VRRP, and sends its notifications,
// as an extension of the host's SNMP agent (AgentX, RFC 2741).
//
// Everything is read only. What is served comes from a status.Status, which is
// at most a second old; what is notified is told by the director, which never
// waits for anything here.
package snmp
