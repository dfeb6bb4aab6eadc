package conf

import "holdfast/vrrp"

// warnOfPreempt warns of weights that cannot move mastership, because no BACKUP
// takes over from a MASTER of a lower priority without preemption.
func (c *Config) warnOfPreempt(s sections) {
	for i, t := range s.vrrp {
		in := &c.VRRP[i]
		if in.Preempt || in.Priority == vrrp.PriorityOwner {
			continue
		}
		for _, k := range c.trackedBy(in) {
			if k.Weight == 0 {
				continue
			}
			if c.countsNumber(k) {
				t.warnf("preempt", "without preemption, no BACKUP takes over from a MASTER that %q lowers: use weight = 0, which puts it into FAULT instead", k.Name)
				break
			}
			from := int(in.Priority) + max(k.Weight, 0)
			to := from - max(k.Weight, -k.Weight)
			t.warnf("preempt", "without preemption, a MASTER that %q lowers from %d to %d stays MASTER: use weight = 0, which puts it into FAULT instead", k.Name, cut(from), cut(to))
			break
		}
	}
}
