package ipvs

import (
	"fmt"
	"slices"

	"github.com/vishvananda/netlink/nl"

	"holdfast/lvs"
)

// Dump returns the content of the table, with the services sorted by key.
func (c *Conn) Dump() ([]lvs.Wanted, error) {
	usage, err := c.Usage()
	if err != nil {
		return nil, err
	}
	content := make([]lvs.Wanted, len(usage))
	for i := range usage {
		content[i] = usage[i].Wanted()
	}
	return content, nil
}

// Usage returns the content of the table with its counters, with the services
// sorted by key. A service that another program deletes meanwhile may be in the
// result without servers.
func (c *Conn) Usage() ([]lvs.Usage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	messages, err := c.own.dump(request{command: cmdGetService})
	if err != nil {
		return nil, fmt.Errorf("read the IPVS services: %w", err)
	}
	all := make([]lvs.Usage, 0, len(messages))
	for _, m := range messages {
		u, err := decode(m, attrService, decodeService)
		if err != nil {
			return nil, fmt.Errorf("read the IPVS services: %w", err)
		}
		if u.Servers, err = c.servers(u.Service.Key); err != nil {
			return nil, fmt.Errorf("read the servers of IPVS service %v: %w", u.Service.Key, err)
		}
		all = append(all, u)
	}
	if !c.estimates() {
		dropRates(all)
	}
	slices.SortFunc(all, func(a, b lvs.Usage) int { return a.Service.Key.Compare(b.Service.Key) })
	return all, nil
}

// dropRates removes the rates, which are 0 if the kernel does not estimate them.
func dropRates(all []lvs.Usage) {
	for i := range all {
		all[i].Counters.Rates = nil
		for j := range all[i].Servers {
			all[i].Servers[j].Counters.Rates = nil
		}
	}
}

func (c *Conn) servers(key lvs.Key) ([]lvs.ServerUsage, error) {
	messages, err := c.own.dump(request{command: cmdGetDest, attrs: []*nl.RtAttr{encodeKey(key)}})
	if err != nil {
		return nil, err
	}
	servers := make([]lvs.ServerUsage, 0, len(messages))
	for _, m := range messages {
		u, err := decode(m, attrDest, func(b []byte) (lvs.ServerUsage, error) { return decodeServer(b, key.IPv6) })
		if err != nil {
			return nil, err
		}
		servers = append(servers, u)
	}
	slices.SortFunc(servers, func(a, b lvs.ServerUsage) int { return a.Server.Address.Compare(b.Server.Address) })
	return servers, nil
}

// decode decodes the nested attribute of a message.
func decode[T any](message []byte, kind uint16, read func([]byte) (T, error)) (T, error) {
	b, err := nest(message, kind)
	if err != nil {
		return *new(T), err
	}
	return read(b)
}

// info is the kernel's answer to cmdGetInfo.
type info struct {
	version   string // "1.2.1"
	tableSize int    // the number of buckets of the connection table
}

func (c *Conn) info() (info, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	messages, err := c.own.do(request{command: cmdGetInfo, query: true})
	if err != nil {
		return info{}, fmt.Errorf("read the IPVS version: %w", err)
	}
	if len(messages) != 1 || len(messages[0]) < headerLen {
		return info{}, fmt.Errorf("read the IPVS version: %w", errMalformed)
	}
	var i info
	err = walk(messages[0][headerLen:], func(kind uint16, v []byte) error {
		n, err := integer(v)
		switch kind {
		case infoVersion:
			i.version = fmt.Sprintf("%d.%d.%d", n>>16&0xff, n>>8&0xff, n&0xff)
		case infoTableSize:
			i.tableSize = int(n)
		}
		return err
	})
	return i, wrap(err, "read the IPVS version")
}
