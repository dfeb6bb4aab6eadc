package conf

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Dial returns the network and address for net.Dial.
func (a AgentX) Dial() (network, address string) {
	kind, rest, _ := strings.Cut(string(a), ":")
	switch kind {
	case "tcp", "tcp6":
		return kind, rest
	case "unix":
		return kind, rest
	}
	return "unix", string(a)
}

// agentX is an address in the notation of agentXSocket in snmpd.conf.
var agentX = textual("the socket of an SNMP agent", func(s string) (AgentX, error) {
	a := AgentX(s)
	network, address := a.Dial()
	good := strings.HasPrefix(address, "/")
	if network != "unix" {
		host, port, err := net.SplitHostPort(address)
		n, number := strconv.ParseUint(port, 10, 16)
		good = err == nil && host != "" && number == nil && n != 0
	}
	if !good {
		return "", fmt.Errorf(`must be like "/var/agentx/master", "tcp:localhost:705" or "tcp6:[::1]:705", not %s`, quoteShort(s))
	}
	return a, nil
}, func(a AgentX) string { return string(a) })

func (s *SNMP) visit(t *table) {
	need(t, "agentx", &s.AgentX, agentX)
	field(t, "traps", &s.Traps, boolean, true)
}
