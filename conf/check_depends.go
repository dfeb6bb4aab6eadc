package conf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"holdfast/checker"
	"holdfast/lvs"
)

// Checks returns the checks of all servers, in order.
func (c *Config) Checks() []checker.Config {
	var configs []checker.Config
	index := c.indexServers()
	for i := range c.Services {
		s := &c.Services[i]
		first := len(configs)
		for j := range s.Servers {
			configs = append(configs, s.checksOf(j, index)...)
		}
		s.personalize(configs[first:])
	}
	return configs
}

// checksOf returns the checks of the server number j.
func (s *Service) checksOf(j int, index serverIndex) []checker.Config {
	server := &s.Servers[j]
	about := s.Name + "/" + server.Name
	var configs []checker.Config
	for i := range s.Health[j].Checks {
		c := &s.Health[j].Checks[i]
		id := about
		if c.ID != "" {
			id += "#" + c.ID
		}
		config := c.config(id, s.checked(server.Server.Address))
		c.through(s, server.Server.Address, &config)
		config.Server, config.Weight = about, server.Server.Weight
		for _, list := range c.Depends {
			if found := index.findAll(list, server); found != nil {
				config.Depends = append(config.Depends, found)
			}
		}
		configs = append(configs, config)
	}
	return configs
}

// A serverIndex finds servers by what a key depends says.
type serverIndex map[string]*indexedService

type indexedService struct {
	ids       map[string]string     // by name and by address with port
	addresses map[netip.Addr]string // the IDs of the servers at an address; the first counts
}

// indexServers returns an empty index if no check depends on a server.
func (c *Config) indexServers() serverIndex {
	if !slices.ContainsFunc(c.Services, dependsOnOthers) {
		return nil
	}
	index := make(serverIndex, len(c.Services))
	for i := range c.Services {
		s := &c.Services[i]
		v := &indexedService{map[string]string{}, map[netip.Addr]string{}}
		for _, server := range slices.Backward(s.Servers) {
			id := s.Name + "/" + server.Name
			v.addresses[server.Server.Address.Addr()] = id
			v.ids[server.Server.Address.String()] = id
			v.ids[server.Name] = id
		}
		index[s.Name] = v
	}
	return index
}

func dependsOnOthers(s Service) bool {
	return slices.ContainsFunc(s.Health, func(h Health) bool {
		return slices.ContainsFunc(h.Checks, func(c Check) bool { return len(c.Depends) > 0 })
	})
}

// find returns the ID of the server that "SERVICE/SERVER" means, or that "SERVICE"
// means for a server: that at the same address, or of the same name if it has none.
func (x serverIndex) find(on string, of *lvs.ServerConfig) (id string, err error) {
	service, server, named := strings.Cut(on, "/")
	v := x[service]
	switch {
	case v == nil:
		return "", fmt.Errorf("there is no [[service]] named %q", service)
	case named:
		id = v.ids[server]
	case of.Server.Address.IsValid():
		server = of.Server.Address.Addr().String()
		id = v.addresses[of.Server.Address.Addr()]
	default:
		server = of.Name
		id = v.ids[server]
	}
	if id == "" {
		return "", fmt.Errorf("the service %q has no server %s", service, server)
	}
	return id, nil
}

// findAll returns the IDs of all that a list means; nil if one is not there.
func (x serverIndex) findAll(list []string, of *lvs.ServerConfig) (ids []string) {
	for _, on := range list {
		id, err := x.find(on, of)
		if err != nil {
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}

// checkDepends refuses dependencies on servers that do not exist, and those that lead
// back to where they began.
func (c *Config) checkDepends(tables []*table) {
	index := c.indexServers()
	if index == nil {
		return
	}
	graph := make(map[string][]string)
	for i, t := range tables {
		s := &c.Services[i]
		for j := range s.Servers {
			c.linkServer(t, s, j, index, graph)
		}
	}
	reported := false
	for i, t := range tables {
		for j := range c.Services[i].Servers {
			start := c.Services[i].Name + "/" + c.Services[i].Servers[j].Name
			if way := cycle(graph, start); way != nil && !reported && t.ok("check", "server") {
				t.failf("check", "the dependencies of the checks go round: %s", strings.Join(way, " depends on "))
				reported = true
			}
		}
	}
}

// linkServer adds what the server number j depends on to graph.
func (c *Config) linkServer(t *table, s *Service, j int, index serverIndex, graph map[string][]string) {
	about := s.Name + "/" + s.Servers[j].Name
	for _, check := range s.Health[j].Checks {
		for _, on := range slices.Concat(check.Depends...) {
			id, err := index.find(on, &s.Servers[j])
			if err != nil {
				if t.ok("check") { // one error a service
					t.failf("check", "server %s depends on %q, but %v", s.Servers[j].Name, on, err)
				}
				continue
			}
			graph[about] = append(graph[about], id)
		}
	}
}

// cycle returns a way from start back to start, or nil.
func cycle(graph map[string][]string, start string) []string {
	seen := map[string]bool{}
	var search func(at string) []string
	search = func(at string) []string {
		for _, next := range graph[at] {
			if next == start {
				return []string{at, start}
			}
			if !seen[next] {
				seen[next] = true
				if way := search(next); way != nil {
					return append([]string{at}, way...)
				}
			}
		}
		return nil
	}
	if len(graph[start]) == 0 {
		return nil
	}
	return search(start)
}
