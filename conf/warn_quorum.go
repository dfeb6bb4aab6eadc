package conf

import "holdfast/lvs"

// warnOfQuorums warns of services that cannot be up, of weights that cannot rise, and of
// clients that stay with a server that is down.
func (c *Config) warnOfQuorums(s sections) {
	for i, t := range s.services {
		v := &c.Services[i]
		all, light, asked := 0, true, false
		for j := range v.Servers {
			w := v.Servers[j].Server.Weight
			all += w
			light = light && w <= 1
			asked = asked || v.Health[j].asks()
		}
		if need := v.Quorum + v.Hysteresis; need > all && len(v.Servers) > 0 && need > 1 {
			t.warnf("quorum", "the weights of all servers sum up to %d, which is less than quorum and hysteresis, %d: the service is up only if checks or operators raise weights", all, need)
		}
		if v.SlowStart > 0 && light && len(v.Servers) > 0 {
			t.warnf("slow_start", "a weight of 1 cannot rise: give the servers weights such as 100")
		}
		if v.OnDown == lvs.Quiesce && v.Service.Persistence > 0 && asked && c.LVS.Sysctls["expire_quiescent_template"] != "1" {
			t.warnf("on_down", "persistent clients of a server that is down stay with it, because it has weight 0 only: set expire_quiescent_template = 1 in [lvs.sysctl]")
		}
	}
}
