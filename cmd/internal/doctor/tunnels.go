package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"

	"holdfast/lvs"
)

// A pathFacts is the way to a realserver of method TUN.
type pathFacts struct {
	Service, Server, Interface string
	MTU                        int
	Overhead                   int // bytes of the tunnel
	Clients                    int // the MTU of the interface with the virtual address
}

func lookAtTunnels(_ context.Context, p *Patient) (all []pathFacts, err error) {
	for _, s := range balanced(p.Config) {
		for _, v := range s.Servers {
			if v.Server.Forward != lvs.TUN {
				continue
			}
			path, routeErr := pathTo(v.Server.Address.Addr().Unmap())
			if routeErr != nil {
				err = errors.Join(err, fmt.Errorf("find the route to %v: %w", v.Server.Address.Addr(), routeErr))
				continue
			}
			path.Service, path.Server, path.Overhead = s.Name, v.Server.Address.String(), overhead(&v.Server)
			path.Clients = clientMTU(p, s.Service.Key.Address.Addr().Unmap())
			all = append(all, path)
		}
	}
	return all, err
}

func pathTo(a netip.Addr) (f pathFacts, err error) {
	routes, err := netlink.RouteGet(a.AsSlice())
	if err != nil {
		return f, err
	}
	link, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return f, err
	}
	f.Interface, f.MTU = link.Attrs().Name, link.Attrs().MTU
	if routes[0].MTU > 0 {
		f.MTU = routes[0].MTU
	}
	return f, nil
}

// clientMTU returns the MTU of the interface that has an address as a virtual one; 0 if
// that is not known.
func clientMTU(p *Patient, vip netip.Addr) int {
	for i := range p.Config.VRRP {
		in := &p.Config.VRRP[i]
		for _, a := range in.Addresses {
			if a == vip {
				if link, err := netlink.LinkByName(in.Interface); err == nil {
					return link.Attrs().MTU
				}
			}
		}
	}
	return 0
}

// overhead returns how many bytes a tunnel adds to a packet (RFC 2003, RFC 2784 and
// Documentation/networking/fou.rst).
func overhead(v *lvs.Server) int {
	outer := 20
	if v.Address.Addr().Unmap().Is6() {
		outer = 40
	}
	switch v.Tunnel.Type {
	case lvs.GRE:
		outer += 4
		if v.Tunnel.Checksum {
			outer += 4
		}
	case lvs.GUE:
		outer += 8 + 4
	}
	return outer
}

func judgeTunnels(_ *Patient, all []pathFacts) (found []Finding) {
	seen := map[string]bool{}
	for _, f := range all {
		if f.Clients == 0 || f.MTU >= f.Clients+f.Overhead || seen[f.Interface] {
			continue
		}
		seen[f.Interface] = true
		found = append(found, Finding{
			Severity: Note,
			What: fmt.Sprintf("packets of %d bytes from clients do not fit into the tunnel to %s of service %s: %s has MTU %d, and the tunnel takes %d",
				f.Clients, f.Server, f.Service, f.Interface, f.MTU, f.Overhead),
			Why: "IPVS answers them with ICMP \"fragmentation needed\". Clients behind a firewall that drops ICMP hang in large uploads.",
			Cure: fmt.Sprintf("ip link set %s mtu %d, with the switches and the realservers; or a smaller MSS on the realservers: ip route change default ... advmss %d",
				f.Interface, f.Clients+f.Overhead, f.MTU-f.Overhead-40),
		})
	}
	return found
}
