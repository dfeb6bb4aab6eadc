package conf

import (
	"fmt"

	"holdfast/vrrp"
)

// A director that trackers lower or raise has a priority from 1 to 254: 0 and
// 255 have meanings of their own in adverts.
const (
	lowestSum  = 1
	highestSum = vrrp.PriorityOwner - 1
)

func cut(sum int) int { return min(max(sum, lowestSum), highestSum) }

// warnOfWeights warns of weights that the bounds of the priority swallow.
func (u *unit) warnOfWeights() {
	for i := range u.tracked {
		k := &u.tracked[i]
		seen := make(map[uint8]bool)
		for _, m := range u.members {
			if seen[m.Priority] {
				continue
			}
			seen[m.Priority] = true
			if text := u.swallowed(m.Instance, k); text != "" {
				k.table.warnf("track", "%s", text)
				break
			}
		}
	}
}

// countsNumber reports whether the weight is multiplied by a number that only
// running the tracker tells.
func (k *tracked) countsNumber() bool { return k.Weight != 0 && k.tracker.Kind == TrackFile }

// swallowed says in which way the weight of k is lost in the bounds of the
// priority of an instance, or returns "" if it is not.
func (u *unit) swallowed(in *Instance, k *tracked) string {
	if k.Weight == 0 || k.countsNumber() || in.Priority == vrrp.PriorityOwner {
		return ""
	}
	// The sum while k is up: with all else up, and with all else down.
	well := int(in.Priority) + max(k.Weight, 0)
	worst := well
	bounded := true
	for i := range u.tracked {
		other := &u.tracked[i]
		if other.Name != k.Name {
			well += max(other.Weight, 0)
			worst += min(other.Weight, 0)
			bounded = bounded && !other.countsNumber()
		}
	}
	cost := max(k.Weight, -k.Weight)
	stays := cut(well)
	// Single weights are smaller than the range of priorities, so between worst and
	// well there is a sum within the bounds unless both are beyond the same one.
	never := well <= lowestSum || worst-cost >= highestSum
	switch {
	case bounded && never:
		return fmt.Sprintf("%q has weight %+d, which never changes the priority of %q: that of a MASTER is %d whether %q is up or down",
			k.Name, k.Weight, in.Name, stays, k.Name)
	case cut(well-cost) == stays:
		return fmt.Sprintf("%q has weight %+d, but all weights of %q sum up to %d, which is cut to %d: that of a MASTER is %d whether %q is up or down",
			k.Name, k.Weight, in.Name, well, stays, stays, k.Name)
	case well > highestSum && k.Weight > 0:
		return fmt.Sprintf("%q has weight %+d, but the priority %d of %q and its weights sum up to %d, which is cut to %d: with %q down it falls by %d",
			k.Name, k.Weight, in.Priority, in.Name, well, stays, k.Name, stays-cut(well-cost))
	}
	return ""
}
