package conf

import "holdfast/vrrp"

// warnOfPreempt warns of weights that cannot move mastership, because no BACKUP
// takes over from a MASTER of a lower priority without preemption.
func (u *unit) warnOfPreempt() {
	var k *tracked // the first with a weight
	for i := range u.tracked {
		if u.tracked[i].Weight != 0 {
			k = &u.tracked[i]
			break
		}
	}
	if k == nil {
		return
	}
	for _, m := range u.members {
		if m.Preempt || m.Priority == vrrp.PriorityOwner {
			continue
		}
		if k.countsNumber() {
			m.table.warnf("preempt", "without preemption, no BACKUP takes over from a MASTER that %q lowers: use weight = 0, which puts it into FAULT instead", k.Name)
			continue
		}
		from := int(m.Priority) + max(k.Weight, 0)
		to := from - max(k.Weight, -k.Weight)
		m.table.warnf("preempt", "without preemption, a MASTER that %q lowers from %d to %d stays MASTER: use weight = 0, which puts it into FAULT instead", k.Name, cut(from), cut(to))
	}
}
