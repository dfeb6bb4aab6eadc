package lvs

import (
	"net/netip"
	"time"
)

// OnDown says what happens to a server that is down.
type OnDown uint8

const (
	// Remove deletes the server from the table. Its persistent clients are free
	// to go to another server.
	Remove OnDown = iota
	// Quiesce sets the weight of the server to 0. It keeps its connections and
	// gets no new ones.
	Quiesce
)

// Active says on which directors a virtual service exists.
type Active uint8

const (
	// ActiveAlways keeps the service on the MASTER and on every BACKUP.
	ActiveAlways Active = iota
	// ActiveMaster keeps the service only where the group that it follows is
	// MASTER. Two directors that are each other's realservers need this: otherwise
	// the BACKUP would balance a packet from the MASTER back to it.
	ActiveMaster
	// ActiveNever keeps the service out of the kernel: its servers are only checked.
	// It has no key, and its servers need no address if they have a name.
	ActiveNever
)

// A ServiceConfig is the configuration of a virtual service.
type ServiceConfig struct {
	Name    string  // unique
	Service Service // without a Key with ActiveNever
	// Also are the keys of further virtual services in the kernel. They have the
	// settings of Service, and share its servers and their health.
	Also    []Key
	Servers []ServerConfig
	// Quorum is the least sum of the weights of servers that are up with which the
	// service counts as up; 0 is 1. It is up again once they reach Quorum+Hysteresis,
	// and down once they are less than Quorum-Hysteresis, or 0.
	Quorum, Hysteresis int
	// Fallbacks are the servers that take the traffic while the service is down
	// (keepalived's sorry server). Without a port they have that of the service.
	Fallbacks       []netip.AddrPort
	FallbackForward Forward // the forwarding method of Fallbacks
	OnDown          OnDown
	// SlowStart is how long the weight of a server rises after it came up, from 1 to
	// its full weight; 0: it has its full weight at once.
	SlowStart time.Duration
	Active    Active
	// Follow is the name of the VRRP group or instance that decides with
	// ActiveMaster.
	Follow string
}

// A ServerConfig is the configuration of a realserver.
type ServerConfig struct {
	Name string // unique within the service; "" is the address
	// Server has the Weight that applies while the server is up. Without a port it
	// has that of the service.
	Server Server
	// StartsUp makes the server count as up until a check reports something else.
	// It is for servers without a check, and for users who prefer losing a
	// connection at start to waiting for the first check.
	StartsUp bool
}

// name returns the name of the server within its service.
func (c *ServerConfig) name() string {
	if c.Name != "" {
		return c.Name
	}
	return c.Server.Address.String()
}
