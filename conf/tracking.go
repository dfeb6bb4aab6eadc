package conf

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"holdfast/vrrp"
)

// Tracking is the effect of a tracker on an instance or group. With Weight 0 it
// is a fault while the tracker is down. A positive weight is added to the
// priority while the tracker is up, a negative one while it is down. The number of
// a file is multiplied by the weight.
type Tracking struct {
	Name   string // of a Track
	Weight int
}

// maxWeight is the greatest possible change of a priority, from 254 to 1.
const maxWeight = 253

// trackerWeight stands for Track.Weight until resolveTracking sets it.
const trackerWeight = math.MinInt

// tracking is the name of a tracker, or a table with name and weight.
var tracking = codec[Tracking]{
	decode: func(v value, fail func(value, string)) (Tracking, bool) {
		k := Tracking{Weight: trackerWeight}
		keys, isTable := v.data.(map[string]value)
		if !isTable {
			if _, ok := v.data.(string); !ok {
				fail(v, fmt.Sprintf(`must be the name of a [[track]], or a table like { name = "gw", weight = -50 }, not %v`, v))
				return k, false
			}
			keys = map[string]value{"name": v}
		}
		ok := true
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			var good bool
			switch key {
			case "name":
				k.Name, good = name.decode(keys[key], fail)
			case "weight":
				k.Weight, good = weight.decode(keys[key], fail)
			default:
				fail(keys[key], unknownKey(key, []string{"name", "weight"}))
			}
			ok = ok && good
		}
		if _, named := keys["name"]; !named && ok {
			fail(v, `the key name is required, as in { name = "gw", weight = -50 }`)
			return k, false
		}
		return k, ok
	},
	encode: func(k Tracking) any {
		if k.Weight == trackerWeight {
			return k.Name
		}
		return InlineTable{{"name", k.Name}, {"weight", int64(k.Weight)}}
	},
}

// checkTracking refuses unknown and duplicate trackers, and sets default weights.
func (c *Config) checkTracking(s sections) {
	seen := make(unique[string])
	for i, t := range s.tracks {
		k := &c.Tracks[i]
		t.useOnce(seen, "name", k.Name)
		if k.Service != "" && t.ok("service", "type") {
			c.checkTrackedService(t, k)
		}
		if k.BFD != "" && t.ok("bfd", "type") {
			c.checkTrackedBFD(t, k)
		}
	}
	for i, t := range s.vrrp {
		c.resolveTracking(t, c.VRRP[i].Track)
		c.checkOwnerTracks(t, &c.VRRP[i])
	}
	for i, t := range s.groups {
		c.resolveTracking(t, c.Groups[i].Track)
	}
	c.checkSharedTracking(s)
}

func (c *Config) checkTrackedService(t *table, k *Track) {
	var names []string
	for i := range c.Services {
		v := &c.Services[i]
		names = append(names, v.Name)
		if v.Name != k.Service {
			continue
		}
		if n := len(v.Servers); n > 0 && k.Quorum > n && t.ok("quorum") {
			t.failf("quorum", "must be at most %d, the number of servers of service %q, not %d", n, v.Name, k.Quorum)
		}
		if n := len(v.Servers); n > 0 && k.Unsent > n && t.ok("unsent") {
			t.failf("unsent", "must be at most %d, the number of servers of service %q, not %d", n, v.Name, k.Unsent)
		}
		return
	}
	t.failf("service", "there is no [[service]] named %q%s", k.Service, suggest(k.Service, names))
}

func (c *Config) resolveTracking(t *table, list []Tracking) {
	if !t.ok("track") {
		return
	}
	var names []string
	for i := range c.Tracks {
		names = append(names, c.Tracks[i].Name)
	}
	seen := map[string]bool{}
	for i := range list {
		at := slices.Index(names, list[i].Name)
		switch {
		case at < 0:
			t.failf("track", "there is no [[track]] named %q%s", list[i].Name, suggest(list[i].Name, names))
		case seen[list[i].Name]:
			t.failf("track", "%q is listed twice", list[i].Name)
		case list[i].Weight == trackerWeight:
			list[i].Weight = c.Tracks[at].Weight
		}
		seen[list[i].Name] = true
	}
}

// checkOwnerTracks refuses weights of the owner, whose priority never changes.
func (c *Config) checkOwnerTracks(t *table, in *Instance) {
	if in.Priority != vrrp.PriorityOwner || !t.ok("track", "priority") {
		return
	}
	for _, k := range in.Track {
		if k.Weight != 0 {
			t.failf("track", "%q has a weight, but the priority of the owner, %d, never changes", k.Name, in.Priority)
			return
		}
	}
}

// checkSharedTracking refuses different weights of one tracker within a group.
// The members move together, so a tracker has one weight for all of them.
func (c *Config) checkSharedTracking(s sections) {
	for gi, gt := range s.groups {
		g := &c.Groups[gi]
		if !gt.ok("track", "members") {
			continue
		}
		weights := map[string]int{}
		for _, k := range g.Track {
			weights[k.Name] = k.Weight
		}
		for i, t := range s.vrrp {
			in := &c.VRRP[i]
			if !slices.Contains(g.Members, in.Name) || !t.ok("track") {
				continue
			}
			for _, k := range in.Track {
				if w, there := weights[k.Name]; there && w != k.Weight {
					t.failf("track", "%q has weight %d here, but %d elsewhere in the group %q: all members need the same weight", k.Name, k.Weight, w, g.Name)
					break
				}
				weights[k.Name] = k.Weight
			}
		}
	}
}
