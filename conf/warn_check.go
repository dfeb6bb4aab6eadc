package conf

import (
	"regexp"
	"slices"

	"holdfast/checker/probe"
)

var braced = regexp.MustCompile(`\{([a-z_]+)\}`)

// warnOfPlaceholders warns of words in braces in the commands of checks that are
// almost a placeholder. Others may mean something to the program.
func (c *Config) warnOfPlaceholders(s sections) {
	known := probe.Placeholders()
	for i, t := range s.services {
		warned := map[string]bool{}
		for _, argument := range c.Services[i].checkArguments() {
			for _, m := range braced.FindAllStringSubmatch(argument, -1) {
				meant := nearest(m[1], known)
				if slices.Contains(known, m[1]) || meant == "" || warned[m[1]] {
					continue
				}
				warned[m[1]] = true
				t.warnf("check", "the program gets %s as it stands%s", m[0], didYouMean("{"+meant+"}"))
			}
		}
	}
}

// checkArguments returns the arguments of all programs of checks.
func (s *Service) checkArguments() []string {
	var all []string
	for _, health := range s.Health {
		for _, check := range health.Checks {
			if external, ok := check.Probe.(probe.External); ok {
				all = append(all, external.Command...)
			}
		}
	}
	return all
}
