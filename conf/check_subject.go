package conf

import (
	"reflect"
	"slices"
	"strings"

	"holdfast/checker"
	"holdfast/checker/probe"
)

// An alike is a check that several servers of a service have.
type alike struct {
	settings probe.Personal
	servers  []probe.Named
}

// personalize tells the checks that depend on it whose they are. configs are all
// checks of the service.
func (s *Service) personalize(configs []checker.Config) {
	var groups []*alike
	of := make([]*alike, len(configs))
	for i := range configs {
		settings, ok := configs[i].Probe.(probe.Personal)
		if !ok {
			continue
		}
		n := slices.IndexFunc(groups, func(g *alike) bool { return reflect.DeepEqual(g.settings, settings) })
		if n < 0 {
			n = len(groups)
			groups = append(groups, &alike{settings: settings})
		}
		of[i] = groups[n]
		of[i].servers = append(of[i].servers, probe.Named{Name: serverOf(&configs[i]), Address: configs[i].Address.Addr().String()})
	}
	for i, g := range of {
		if g != nil {
			configs[i].Probe = g.settings.For(s.subject(serverOf(&configs[i])), g.servers)
		}
	}
}

// serverOf returns the name of the server that a check is about.
func serverOf(c *checker.Config) string {
	_, server, _ := strings.Cut(c.Server, "/")
	return server
}

func (s *Service) subject(server string) probe.Subject {
	k := &s.Service.Key
	about := probe.Subject{Service: s.Name, Server: server, Mark: k.Mark}
	if k.Address.IsValid() {
		about.ServiceAddress, about.ServicePort = k.Address.Addr().String(), k.Address.Port()
		about.Protocol = k.Protocol.String()
	}
	return about
}
