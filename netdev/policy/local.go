package policy

import (
	"net/netip"

	"holdfast/netdev/rtnl"

	"golang.org/x/sys/unix"
)

// A LocalRoute is a route that makes an address of an interface local.
type LocalRoute struct {
	Index   int // of the interface
	Address netip.Addr
}

// LocalRoutes returns the routes that make IPv6 addresses local, whatever rules say
// about them; nil if they could not be read.
func LocalRoutes() map[LocalRoute]bool {
	c, err := rtnl.DialStrict()
	if err != nil {
		return nil
	}
	defer c.Close()
	var all map[LocalRoute]bool
	err = eachRoute(c, true, routeFilter{table: unix.RT_TABLE_LOCAL}, func() { all = map[LocalRoute]bool{} }, func(b []byte) error {
		m, k, err := parseRouteKey(b)
		if err != nil || m.Type != unix.RTN_LOCAL || k.table != unix.RT_TABLE_LOCAL || !k.to.IsSingleIP() {
			return err
		}
		rtnl.EachAttribute(b[unix.SizeofRtMsg:], func(kind uint16, value []byte) {
			if kind == unix.RTA_OIF {
				all[LocalRoute{int(rtnl.AttributeNumber(value)), k.to.Addr()}] = true
			}
		})
		return nil
	})
	if err != nil {
		return nil // the caller waits
	}
	return all
}
