package port

import (
	"time"

	"golang.org/x/sys/unix"
)

// Many virtual routers send their adverts one after the other. Each would wake the
// receiving thread up, which costs more than to read it. So in a rush, when one
// wake-up follows the other, Receive leaves what comes in the queues for a moment,
// and reads it all at once. A lone advert is never left.
const (
	// gatherPause is for how long packets are left in a rush.
	gatherPause = 300 * time.Microsecond
	// rushGap is the longest time between two arrivals of a rush. It is longer than
	// gatherPause, so that a rush lasts while more comes.
	rushGap = 2 * gatherPause
	// gatherMargin is how far away the deadline has to be, so that no timer is late.
	gatherMargin = 20 * time.Millisecond
)

// napTime is what the kernel is given for gatherPause; nobody changes it.
var napTime = unix.NsecToTimespec(int64(gatherPause))

// A rush knows when packets arrived last.
type rush struct {
	last time.Time
	on   bool
}

// arrived notes that packets have arrived.
func (r *rush) arrived(now time.Time) {
	r.on = now.Sub(r.last) < rushGap
	r.last = now
}

// nap returns how long to sleep before the wait for packets, nil for not at all, if
// the deadline is so far away; forever says that there is none.
func (r *rush) nap(away time.Duration, forever bool) *unix.Timespec {
	if r.on && (forever || away >= gatherMargin) {
		return &napTime
	}
	return nil
}
