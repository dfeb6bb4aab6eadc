package notify

import (
	"fmt"
	"net/netip"
	"strconv"
)

// Line returns the event as keepalived writes it to its FIFO, "" if keepalived
// does not. A rival that has gone is told by the state that is in force again:
// whoever reads may have acted upon the rival's.
//
//	INSTANCE "outside" MASTER 150
//	GROUP "director" BACKUP 0
//	INSTANCE "outside" MASTER_RX_LOWER_PRI 150
//	INSTANCE "outside" MASTER_PRIORITY 140
//	VS [10.0.0.100]:tcp:80 UP
//	RS [192.168.0.11]:tcp:80 [10.0.0.100]:tcp:80 DOWN
func (e *Event) Line() string {
	switch e.Kind {
	case Instance, Group:
		if word := e.word(); word != "" {
			return fmt.Sprintf("%s %s %s %d", e.Kind, strconv.Quote(e.Name), word, e.Priority)
		}
	case Service:
		return fmt.Sprintf("VS %s %s", e.LVS.virtual(), e.State)
	case Server:
		return fmt.Sprintf("RS %s %s %s", trio(e.LVS.ServerAddress, e.LVS.Protocol), e.LVS.virtual(), e.State)
	}
	return ""
}

// word is keepalived's for the state of an instance or group.
func (e *Event) word() string {
	switch {
	case e.State == Rival:
		return "MASTER_RX_LOWER_PRI"
	case e.State == RivalGone:
		return Master
	case e.State == Priority && (e.OldState == Master || e.OldState == Backup):
		return e.OldState + "_PRIORITY"
	case e.State == Priority:
		return ""
	}
	return e.State
}

// virtual is keepalived's name of a virtual service.
func (l *LVS) virtual() string {
	if l.ServiceAddress == "" {
		return fmt.Sprintf("FWM %d", l.Mark)
	}
	return trio(l.ServiceAddress, l.Protocol)
}

// trio writes "10.0.0.100:80" with its protocol: "[10.0.0.100]:tcp:80".
func trio(address, protocol string) string {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return address
	}
	if protocol == "" { // of a firewall mark
		protocol = "none"
	}
	return fmt.Sprintf("[%v]:%s:%d", ap.Addr(), protocol, ap.Port())
}
