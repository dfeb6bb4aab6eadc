package director

import (
	"net/netip"
	"slices"

	"holdfast/checker"
	"holdfast/conf"
	"holdfast/lvs"
)

// A viaServer is a realserver that checks ask at the address of its service. The
// kernel has a virtual service with a mark for it alone.
type viaServer struct {
	server lvs.Server // with weight 1 and port 0
	ipv6   bool       // the family of the service
}

// A viaTable has the mark of each viaServer.
type viaTable struct {
	first uint32
	marks map[viaServer]uint32
}

// assign returns the table for a configuration, and sets the marks of its checks. A
// server keeps the mark that it has in t.
func (t *viaTable) assign(c *conf.Config, checks []checker.Config) *viaTable {
	next := &viaTable{first: c.LVS.ViaMark, marks: map[viaServer]uint32{}}
	servers := viaServers(c)
	used := map[uint32]bool{}
	var news []int
	for i := range checks {
		s, via := servers[viaKey{serviceOf(&checks[i]), checks[i].Dial.Toward}]
		if !via {
			continue
		}
		if mark, had := t.marks[s]; had && t.first == next.first {
			next.marks[s], used[mark] = mark, true
			checks[i].Dial.Mark = mark
			continue
		}
		news = append(news, i)
	}
	free := next.first
	for _, i := range news {
		s := servers[viaKey{serviceOf(&checks[i]), checks[i].Dial.Toward}]
		if next.marks[s] == 0 {
			for used[free] {
				free++
			}
			next.marks[s], used[free] = free, true
		}
		checks[i].Dial.Mark = next.marks[s]
	}
	return next
}

// checksVia reports whether a configuration has checks that ask at the address of their
// service.
func checksVia(c *conf.Config) bool {
	via := func(k conf.Check) bool { return k.Via == conf.ViaVIP }
	for i := range c.Services {
		for _, h := range c.Services[i].Health {
			if slices.ContainsFunc(h.Checks, via) {
				return true
			}
		}
	}
	return false
}

type viaKey struct {
	service string
	server  netip.Addr
}

// serviceOf returns the name of the service that a check belongs to.
func serviceOf(c *checker.Config) string { return ref(c.Server).Service }

// viaServers returns the servers that checks of a configuration may ask at the
// address of their service.
func viaServers(c *conf.Config) map[viaKey]viaServer {
	all := map[viaKey]viaServer{}
	for i := range c.Services {
		s := &c.Services[i]
		for j := range s.Servers {
			server := s.Servers[j].Server.Canonical()
			addr := server.Address.Addr()
			all[viaKey{s.Name, addr}] = viaServer{
				server: lvs.Server{Address: netip.AddrPortFrom(addr, 0), Forward: server.Forward, Tunnel: server.Tunnel, Weight: 1},
				ipv6:   s.Service.Key.Canonical().IPv6,
			}
		}
	}
	return all
}

func (s viaServer) key(mark uint32) lvs.Key { return lvs.Key{Mark: mark, IPv6: s.ipv6} }

// keys returns the keys of the virtual services.
func (t *viaTable) keys() []lvs.Key {
	var keys []lvs.Key
	for s, mark := range t.marks {
		keys = append(keys, s.key(mark))
	}
	return keys
}

// wanted returns the virtual services.
func (t *viaTable) wanted() []lvs.Wanted {
	var want []lvs.Wanted
	for s, mark := range t.marks {
		service := lvs.Service{Key: s.key(mark), Scheduler: "rr"}
		want = append(want, lvs.Wanted{Service: service.Canonical(), Servers: []lvs.Server{s.server}})
	}
	return want
}

// others returns what of the kernel's table is not for checks.
func (t *viaTable) others(have []lvs.Usage) []lvs.Usage {
	ours := make(map[lvs.Key]bool, len(t.marks))
	for s, mark := range t.marks {
		ours[s.key(mark)] = true
	}
	return slices.DeleteFunc(have, func(u lvs.Usage) bool { return ours[u.Service.Key] })
}
