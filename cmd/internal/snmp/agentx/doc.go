// Package agentx encodes and decodes the packets that an SNMP master agent and
// its subagents exchange (AgentX, RFC 2741): those that a subagent needs that
// serves objects and sends notifications. It has no socket and keeps nothing.
package agentx
