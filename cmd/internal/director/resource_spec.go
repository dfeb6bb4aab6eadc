package director

import (
	"fmt"
	"time"

	"holdfast/cmd/internal/program"
	"holdfast/cmd/internal/resource"
	"holdfast/conf"
)

// resourceRunners makes the runner of a resource, by its kind.
var resourceRunners = map[conf.ResourceKind]func(*conf.Resource) resource.Runner{
	conf.ResourceSystemd: func(s *conf.Resource) resource.Runner {
		return resource.Systemd{Unit: s.Unit, Systemctl: resource.Systemctl()}
	},
	conf.ResourceLSB: func(s *conf.Resource) resource.Runner { return resource.LSB{Script: s.Script, Args: s.Args} },
	conf.ResourceOCF: func(s *conf.Resource) resource.Runner {
		return resource.OCF{
			Root: s.OCFRoot, Provider: s.Provider, Agent: s.Agent, Instance: s.Name, Params: s.Params,
			Timeouts: map[resource.Action]int64{
				resource.Start: s.StartTimeout.Milliseconds(), resource.Stop: s.StopTimeout.Milliseconds(), resource.Look: s.Timeout.Milliseconds(),
			},
		}
	},
	conf.ResourceCommand: func(s *conf.Resource) resource.Runner {
		own := func(c *conf.Command) program.Program {
			return program.Program{Argv: c.Argv, User: c.User, Group: c.Group}
		}
		return resource.Programs{Start: own(&s.Start), Stop: own(&s.Stop), Status: own(&s.Status)}
	},
}

// chainSpec is a resource as a chain knows it.
func chainSpec(s *conf.Resource) resource.Spec {
	return resource.Spec{
		Name: s.Name, Early: s.Before == conf.ResourceBeforeAddresses, Exclusive: s.Exclusive, Faults: s.OnFailure == conf.ResourceFaults,
		Runner: resourceRunners[s.Kind](s), Watched: s.Kind != conf.ResourceCommand || len(s.Status.Argv) > 0,
		Interval: s.Interval, Retries: s.Retries, RetryAfter: s.RetryAfter,
	}
}

// unfitResources says of every program of a resource that could not, or must not, be run
// here and now why that is.
func unfitResources(c *conf.Config) (list []string) {
	for _, u := range units(c) {
		resources := u.resources()
		for i := range resources {
			s := &resources[i]
			runner, found := resourceRunners[s.Kind](s), map[string]bool{}
			for _, a := range []resource.Action{resource.Start, resource.Stop, resource.Look} {
				command, ok := runner.Command(a)
				if !ok {
					continue
				}
				if err := command.Check(); err != nil && !found[err.Error()] {
					found[err.Error()] = true
					list = append(list, fmt.Sprintf("%s.resource.%s.%s: %v", u.key(), s.Name, a, err))
				}
			}
		}
	}
	return list
}

// jobTimeout is how long an action may take. A resource that is not configured any more
// has the defaults.
func jobTimeout(s *conf.Resource, a resource.Action) time.Duration {
	limits := map[resource.Action]time.Duration{resource.Start: s.StartTimeout, resource.Stop: s.StopTimeout, resource.Look: s.Timeout}
	if limit := limits[a]; limit > 0 {
		return limit
	}
	return 20 * time.Second
}
