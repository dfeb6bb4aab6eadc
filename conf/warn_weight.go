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
func (c *Config) warnOfWeights(s sections) {
	for i, t := range s.vrrp {
		c.warnOfTracked(t, c.VRRP[i].Track, c.together(&c.VRRP[i]))
	}
	for i, t := range s.groups {
		c.warnOfTracked(t, c.Groups[i].Track, c.members(&c.Groups[i]))
	}
}

// warnOfTracked checks the list of the key track of t, which counts for some
// instances.
func (c *Config) warnOfTracked(t *table, list []Tracking, instances []*Instance) {
	for _, k := range list {
		for _, in := range instances {
			if text := swallowed(in, k, c.trackedBy(in), c.countsNumber); text != "" {
				t.warnf("track", "%s", text)
				break // the others are alike
			}
		}
	}
}

// countsNumber reports whether a tracker's weight is multiplied by a number that
// only running it tells.
func (c *Config) countsNumber(k Tracking) bool { return c.tracker(k.Name).Kind == TrackFile }

// swallowed says in which way the weight of k is lost in the bounds of the
// priority, or "" if it is not.
func swallowed(in *Instance, k Tracking, all []Tracking, countsNumber func(Tracking) bool) string {
	if k.Weight == 0 || countsNumber(k) || in.Priority == vrrp.PriorityOwner {
		return ""
	}
	cost := max(k.Weight, -k.Weight)
	well := int(in.Priority) + max(k.Weight, 0)
	others := map[int]bool{0: true} // what the other trackers can sum up to
	bounded := true
	for _, other := range all {
		if other.Name == k.Name {
			continue
		}
		well += max(other.Weight, 0)
		bounded = bounded && (other.Weight == 0 || !countsNumber(other))
		more := make(map[int]bool, 2*len(others))
		for sum := range others {
			more[sum], more[sum+other.Weight] = true, true
		}
		others = more
	}
	counts := false
	for sum := range others {
		up := int(in.Priority) + sum + max(k.Weight, 0)
		counts = counts || cut(up) != cut(up-cost)
	}
	stays := cut(well)
	switch {
	case bounded && !counts:
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
