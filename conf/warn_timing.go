package conf

import (
	"time"
)

// warnOfTiming warns of timers that are too short for what they wait for.
func (u *unit) warnOfTiming() {
	for _, m := range u.members {
		in, t := m.Instance, m.table
		if in.DownAfter == 1 {
			dead := in.Interval + skew(in)
			t.warnf("down_after", "a single advert that is lost, or later than %s, makes this BACKUP take over from a MASTER that is well", formatDuration(dead.Round(time.Millisecond)))
		}
		u.warnOfStartDelay(t, in)
	}
}

// skew is the time by which a BACKUP of a lower priority waits longer
// (RFC 9568 §6.1).
func skew(in *Instance) time.Duration {
	unit := in.Interval
	if in.Version == 2 {
		unit = time.Second
	}
	return time.Duration(256-int(in.Priority)) * unit / 256
}

// warnOfStartDelay warns of a start_delay that ends before a tracker can be
// found down. Without starts_up a tracker keeps the instance waiting by itself.
func (u *unit) warnOfStartDelay(t *table, in *Instance) {
	if in.StartDelay == 0 {
		return
	}
	for _, k := range u.tracked {
		if need := k.tracker.timeToDown(); k.tracker.StartsUp && in.StartDelay < need {
			t.warnf("start_delay", "ends after %s, but it takes %s to find %q down, which counts as up until then (starts_up = true): a director may become MASTER and give up again",
				formatDuration(in.StartDelay), formatDuration(need), k.Name)
		}
	}
}

// timeToDown is how long it can take from the start until the tracker is found
// down.
func (k *Track) timeToDown() time.Duration {
	return time.Duration(max(k.Fall, k.TimeoutFall)-1)*k.Interval + k.Timeout
}
