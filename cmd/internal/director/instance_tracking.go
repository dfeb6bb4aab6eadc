package director

import (
	"fmt"
	"maps"
	"slices"

	"holdfast/cmd/internal/track"
	"holdfast/conf"
	"holdfast/vrrp"
)

// tracking returns what a member of a unit tracks: what it says itself, what
// its group says, and what its fellow members weigh. A unit moves as one, so
// its members must change their priority together.
func (u *unit) tracking(member int) []conf.Tracking {
	list := slices.Concat(u.members[member].Track, u.track())
	for i := range u.members {
		for _, k := range u.members[i].Track {
			if k.Weight != 0 {
				list = append(list, k)
			}
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(k conf.Tracking) bool {
		twice := seen[k.Name]
		seen[k.Name] = true
		return twice
	})
}

// beginTracking makes the trackers of an instance count. One that starts from
// nothing waits for all that could fault it or change its priority: it would
// take over from a better one and give back.
func (rs *routers) beginTracking(in *instance, list []conf.Tracking, wait bool) {
	in.track = list
	in.awaits = map[string]bool{}
	for _, k := range list {
		if wait && !rs.trackers.startsUp(k.Name) {
			in.awaits[k.Name] = true
		}
	}
}

// applyTracking gives the speaker what changed in what trackers do to an instance.
func (rs *routers) applyTracking(in *instance) {
	if !in.added {
		return
	}
	for _, ev := range rs.trackingEvents(in) {
		rs.deliver(in, ev)
	}
}

// trackingEvents returns what changed, since the last call, in what trackers do to an
// instance.
func (rs *routers) trackingEvents(in *instance) []vrrp.Event {
	faults, sum := rs.tracked(in)
	var news []vrrp.Event
	if sum != in.weight {
		news = append(news, vrrp.TrackerWeight{Sum: sum})
	}
	for _, key := range slices.Sorted(maps.Keys(faults)) {
		if in.tracked[key] != faults[key] {
			news = append(news, faults[key])
		}
	}
	for key := range in.tracked {
		if _, still := faults[key]; !still {
			news = append(news, vrrp.Recovered{Key: key})
		}
	}
	in.tracked, in.weight = faults, sum
	return news
}

// tracked returns the faults that trackers raise in an instance, and the sum
// of what they add to its priority.
func (rs *routers) tracked(in *instance) (faults map[string]vrrp.Faulted, sum int) {
	faults = map[string]vrrp.Faulted{}
	standings := rs.trackers.set.Status()
	for _, k := range in.track {
		st, key := standings[k.Name], faultTrack+k.Name
		if st.State != track.Unknown {
			delete(in.awaits, k.Name)
		}
		switch effect := st.On(k.Weight); {
		case in.awaits[k.Name]:
			faults[key] = vrrp.Faulted{Key: key, Problem: "tracker " + k.Name + " is not known yet", Pending: true}
		case effect.Fault:
			faults[key] = vrrp.Faulted{Key: key, Problem: fmt.Sprintf("tracker %s is down: %s", k.Name, st.Cause)}
		default:
			sum += effect.Add
		}
	}
	return faults, sum
}

// trackerChanged implements trackingRouters.
func (rs *routers) trackerChanged(tracker string) {
	for _, in := range rs.instances {
		if slices.ContainsFunc(in.track, func(k conf.Tracking) bool { return k.Name == tracker }) {
			rs.applyTracking(in)
		}
	}
}

// trackedBy implements trackingRouters.
func (rs *routers) trackedBy(tracker string) map[string]int {
	weights := map[string]int{}
	for name, in := range rs.instances {
		for _, k := range in.track {
			if k.Name == tracker {
				weights[name] = k.Weight
			}
		}
	}
	return weights
}
