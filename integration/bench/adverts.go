package main

import (
	"time"

	"holdfast/integration/lab"
)

// A stream is the adverts of one virtual router: when each was sent.
type stream []time.Time

// streams sorts what the hosts at the wires have sent by wire and VRID.
func streams(captures ...*lab.Capture) []stream {
	var all []stream
	for _, c := range captures {
		var byVRID [256]stream
		for _, f := range c.Frames(func(f lab.Frame) bool { return f.FromHost }) {
			if advert, ok := f.Advert(); ok {
				byVRID[advert.VRID] = append(byVRID[advert.VRID], f.Time)
			}
		}
		for _, s := range byVRID {
			if len(s) > 0 {
				all = append(all, s)
			}
		}
	}
	return all
}

// late lists by how many milliseconds two adverts are further apart than the
// interval. That is what a BACKUP's timer, which each advert restarts, must tolerate.
// An early advert counts as 0.
func late(interval time.Duration, all ...stream) figures {
	var ms figures
	for _, s := range all {
		for i := 1; i < len(s); i++ {
			ms = append(ms, max(0, milliseconds(s[i].Sub(s[i-1])-interval)))
		}
	}
	return ms
}

// due counts how many adverts a number of virtual routers should have sent in a
// period, given when each sent its first one in it. A stream that ends early, or
// never begins, has sent too few.
func due(from, to time.Time, interval time.Duration, routers int, all ...stream) (sent, due float64) {
	for _, s := range all {
		start := s[0]
		for start.Sub(from) > interval {
			start = start.Add(-interval)
		}
		sent += float64(len(s))
		// The last one may be on its way when the time is up.
		due += 1 + max(s[len(s)-1].Sub(start), to.Sub(start)-interval).Seconds()/interval.Seconds()
	}
	silent := routers - len(all)
	return sent, due + float64(silent)*to.Sub(from).Seconds()/interval.Seconds()
}
