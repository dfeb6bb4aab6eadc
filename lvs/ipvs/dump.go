package ipvs

import (
	"fmt"
	"slices"

	"github.com/vishvananda/netlink/nl"

	"holdfast/lvs"
)

// Dump returns the content of the table, services in the order of their keys.
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

// Usage returns the content of the table with its counters, services in the
// order of their keys. A service that is deleted meanwhile may be in it
// without servers.
func (c *Conn) Usage() ([]lvs.Usage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	messages, err := c.own.dump(request{command: cmdGetService})
	if err != nil {
		return nil, fmt.Errorf("read the ipvs services: %w", err)
	}
	all := make([]lvs.Usage, 0, len(messages))
	for _, m := range messages {
		u, err := decode(m, attrService, decodeService)
		if err != nil {
			return nil, fmt.Errorf("read the ipvs services: %w", err)
		}
		if u.Servers, err = c.servers(u.Service.Key); err != nil {
			return nil, fmt.Errorf("read the servers of %v: %w", u.Service.Key, err)
		}
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b lvs.Usage) int { return a.Service.Key.Compare(b.Service.Key) })
	return all, nil
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

// decode reads the one nested attribute of an answer.
func decode[T any](message []byte, kind uint16, read func([]byte) (T, error)) (T, error) {
	b, err := nest(message, kind)
	if err != nil {
		return *new(T), err
	}
	return read(b)
}

// Info is what the kernel says of its IPVS.
type Info struct {
	Version   string // "1.2.1"
	TableSize int    // buckets of the connection table
}

// Info asks for the version of IPVS.
func (c *Conn) Info() (Info, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	messages, err := c.own.do(request{command: cmdGetInfo, query: true})
	if err != nil {
		return Info{}, fmt.Errorf("read the ipvs version: %w", err)
	}
	if len(messages) != 1 || len(messages[0]) < headerLen {
		return Info{}, fmt.Errorf("read the ipvs version: %w", errMalformed)
	}
	var info Info
	err = walk(messages[0][headerLen:], func(kind uint16, v []byte) error {
		n, err := integer(v)
		switch kind {
		case infoVersion:
			info.Version = fmt.Sprintf("%d.%d.%d", n>>16&0xff, n>>8&0xff, n&0xff)
		case infoTableSize:
			info.TableSize = int(n)
		}
		return err
	})
	return info, wrap(err, "read the ipvs version")
}
