// Package agentx encodes and decodes the packets that an SNMP master agent and
// those that extend it exchange (AgentX, RFC 2741): those that are needed by who
// serves objects and sends notifications. It has no socket and keeps nothing.
package agentx
