package probe

// A Subject is the server that a check is about, and its service.
type Subject struct {
	Service, Server string // their names
	// ServiceAddress is the address of the service, which clients use; "" for a
	// service by firewall mark. ServicePort is 0 then.
	ServiceAddress string
	ServicePort    uint16
	Mark           uint32 // 0 for a service by address
	Protocol       string // "tcp", "udp" or "sctp"; "" for a service by mark
	// Hosts are the servers of the service that have the same check, as the kind
	// names them. Only a check that asks for all at once has them.
	Hosts []string
}

// Personal settings depend on whose check it is.
type Personal interface {
	Settings
	// For returns the settings for one server of a service, with so much of the
	// subject as the kind tells whom it asks. Settings that tell nothing stay equal,
	// so that services share such a check. servers are all servers of the service
	// with this check.
	For(subject Subject, servers []Named) Settings
}

// A Named is a server with its address.
type Named struct{ Name, Address string }
