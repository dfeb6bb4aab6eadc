package lvs

import "net/netip"

// OnDown says what happens to a server that is down.
type OnDown uint8

const (
	// Remove deletes it from the table: persistent clients are freed to go elsewhere.
	Remove OnDown = iota
	// Quiesce sets its weight to 0: its connections live on, no new ones come.
	Quiesce
)

// Active says where a virtual service exists.
type Active uint8

const (
	// ActiveAlways keeps the service on MASTER and BACKUP alike.
	ActiveAlways Active = iota
	// ActiveMaster keeps it only where the group it follows is MASTER, so that
	// two directors that are each other's realservers pass no packet in circles.
	ActiveMaster
)

// A ServiceConfig is a virtual service as its user wants it.
type ServiceConfig struct {
	Name    string // unique
	Service Service
	Servers []ServerConfig
	// Fallback takes the service's traffic while no server is up; the zero
	// AddrPort is none. Others call it the sorry server.
	Fallback        netip.AddrPort
	FallbackForward Forward
	OnDown          OnDown
	Active          Active
	// Follow names the VRRP group (or instance) that Active: ActiveMaster follows.
	Follow string
}

// A ServerConfig is a realserver as its user wants it.
type ServerConfig struct {
	Name   string // unique within its service; the address when not given
	Server Server // Weight is the weight when it is up
	// StartsUp counts the server as up until a check says otherwise. It is for
	// servers that nothing checks, and for users who would rather lose a
	// connection at start than wait for the first check.
	StartsUp bool
}

// name returns the name by which the server is known within its service.
func (c *ServerConfig) name() string {
	if c.Name != "" {
		return c.Name
	}
	return c.Server.Address.String()
}
