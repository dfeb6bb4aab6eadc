package policy

import (
	"net/netip"

	"holdfast/netdev/rtnl"

	"golang.org/x/sys/unix"
)

// A localRoute is what makes an address local.
type LocalRoute struct {
	Index   int // of the interface
	Address netip.Addr
}

// localRoutes returns the IPv6 addresses that the kernel has taken notice of,
// whatever rules say about them.
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
		return nil // it is waited for
	}
	return all
}
