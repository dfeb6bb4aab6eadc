// Package agentx encodes and decodes the packets that an SNMP master agent and its
// subagents exchange (AgentX, RFC 2741). It covers the packets that a subagent needs
// to serve objects and send notifications. It opens no sockets and keeps no state.
package agentx
