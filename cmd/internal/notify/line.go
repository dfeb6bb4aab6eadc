package notify

import (
	"fmt"
	"net/netip"
	"strconv"

	"holdfast/cmd/internal/event"
)

// Line returns an event as keepalived writes it to its FIFO, "" if keepalived
// has no line for it. When a rival has gone, Line returns the line of the present
// state, because the reader may have reacted to the rival.
//
//	INSTANCE "outside" MASTER 150
//	GROUP "director" BACKUP 0
//	INSTANCE "outside" MASTER_RX_LOWER_PRI 150
//	INSTANCE "outside" MASTER_PRIORITY 140
//	VS [10.0.0.100]:tcp:80 UP
//	RS [192.168.0.11]:tcp:80 [10.0.0.100]:tcp:80 DOWN
func Line(e *event.Event) string {
	c, ok := callOf(e)
	if !ok {
		return ""
	}
	switch c.kind {
	case Service:
		return fmt.Sprintf("VS %s %s", virtual(e.Service), c.state)
	case Server:
		return fmt.Sprintf("RS %s %s %s", realserver(e.Service), virtual(e.Service), c.state)
	}
	if word := c.lineState(); word != "" {
		return fmt.Sprintf("%s %s %s %d", c.kind, strconv.Quote(c.Subject), word, c.priority)
	}
	return ""
}

// lineState is keepalived's word for the state of an instance or group.
func (c *call) lineState() string {
	switch {
	case c.state == Rival:
		return "MASTER_RX_LOWER_PRI"
	case c.state == RivalGone:
		return event.Master
	case c.state == Priority && (c.oldState == event.Master || c.oldState == event.Backup):
		return c.oldState + "_PRIORITY"
	case c.state == Priority:
		return ""
	}
	return c.state
}

// realserver is keepalived's name of a server. One without an address has its own
// name.
func realserver(s *event.Service) string {
	if s.ServerAddress == "" {
		return fmt.Sprintf("[%s]:0", s.Server)
	}
	return trio(s.ServerAddress, s.Protocol)
}

// virtual is keepalived's name of a virtual service. One that is only checked has its
// own name.
func virtual(s *event.Service) string {
	if s.Address == "" && s.Mark != 0 {
		return fmt.Sprintf("FWM %d", s.Mark)
	}
	if _, err := netip.ParseAddrPort(s.Address); err != nil { // several: keepalived names the virtual_server_group
		return fmt.Sprintf("[%s]:0", s.Name)
	}
	return trio(s.Address, s.Protocol)
}

// trio writes "10.0.0.100:80" with its protocol: "[10.0.0.100]:tcp:80".
func trio(address, protocol string) string {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return address
	}
	if protocol == "" { // the service has a firewall mark
		protocol = "none"
	}
	return fmt.Sprintf("[%v]:%s:%d", ap.Addr(), protocol, ap.Port())
}
