package lab

import "fmt"

// The addresses of a [Pair]. The virtual ones are what directors are
// configured to carry.
const (
	VIP      = "10.0.0.100"
	VIP6     = "2001:db8:a::100"
	DIP      = "192.168.0.254"
	DIP6     = "2001:db8:b::fe"
	RouterIP = "10.0.0.1"
)

// A Pair is the network that holdfast is for: two directors (or more) between
// a router and realservers.
//
//	router .1 ── outside 10.0.0.0/24 ──┬─ eth0 lvs1 .2 eth1 ─┬── inside 192.168.0.0/24 ──┬─ rs1 .11
//	            2001:db8:a::/64        └─ eth0 lvs2 .3 eth1 ─┘   2001:db8:b::/64         └─ rs2 .12
//
// Directors forward packets; realservers' default gateway is the DIP. IPv6
// addresses end like the IPv4 ones.
type Pair struct {
	*Lab
	Outside, Inside *Switch
	Directors       []*Host
	Router          *Host
	Realservers     []*Host
}

// NewPair builds the network with so many directors and two realservers.
func NewPair(t T, directors int) *Pair {
	t.Helper()
	l := New(t)
	p := &Pair{Lab: l, Outside: l.Switch("outside"), Inside: l.Switch("inside")}
	for i := range directors {
		h := l.Host(fmt.Sprintf("lvs%d", i+1))
		h.Sysctl("net/ipv4/ip_forward", "1")
		h.Sysctl("net/ipv6/conf/all/forwarding", "1")
		h.Plug(p.Outside, "eth0", fmt.Sprintf("10.0.0.%d/24", i+2), fmt.Sprintf("2001:db8:a::%d/64", i+2))
		h.Plug(p.Inside, "eth1", fmt.Sprintf("192.168.0.%d/24", i+2), fmt.Sprintf("2001:db8:b::%d/64", i+2))
		p.Directors = append(p.Directors, h)
	}
	p.Router = l.Host("router")
	p.Router.Plug(p.Outside, "eth0", RouterIP+"/24", "2001:db8:a::1/64")
	for i := range 2 {
		h := l.Host(fmt.Sprintf("rs%d", i+1))
		h.Plug(p.Inside, "eth0", fmt.Sprintf("192.168.0.%d/24", i+11), fmt.Sprintf("2001:db8:b::%d/64", i+11))
		h.DefaultRoute(DIP)
		h.DefaultRoute(DIP6)
		p.Realservers = append(p.Realservers, h)
	}
	return p
}
