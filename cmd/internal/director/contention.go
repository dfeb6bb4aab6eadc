package director

import (
	"slices"
	"time"

	"holdfast/lvs"
)

// A service is in contention after contentionRepairs repairs in a contentionWindow.
// Fewer may come of an administrator who tried something.
const (
	contentionWindow  = 10 * time.Minute
	contentionRepairs = 3
)

// A contention holds when each service was repaired, by the text of its key. With
// that it tells whether another program keeps changing the service in the kernel.
type contention map[string][]time.Time

// note takes in the changes of one look at the table.
func (c contention) note(now time.Time, changes []lvs.Change) {
	repaired := map[string]bool{}
	for i := range changes {
		if changes[i].Drift {
			repaired[changes[i].Op.Service.Key.String()] = true
		}
	}
	for service, times := range c {
		times = slices.DeleteFunc(times, func(t time.Time) bool { return now.Sub(t) >= contentionWindow })
		if c[service] = times; len(times) == 0 {
			delete(c, service)
		}
	}
	for service := range repaired {
		times := c[service]
		c[service] = append(times[max(0, len(times)-contentionRepairs+1):], now)
	}
}

// of reports whether a service is in contention.
func (c contention) of(now time.Time, service string) bool {
	n := 0
	for _, t := range c[service] {
		if now.Sub(t) < contentionWindow {
			n++
		}
	}
	return n >= contentionRepairs
}
