// Package agentx encodes and decodes the packets that an SNMP master agent and its
// sub-agents exchange (AgentX, RFC 2741). It covers the packets that a sub-agent needs
// to serve objects and send notifications. It opens no sockets and keeps no state.
package agentx
