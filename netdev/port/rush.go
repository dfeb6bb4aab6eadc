package port

import (
	"time"

	"golang.org/x/sys/unix"
)

// Many virtual routers send their adverts one after the other. Each would wake the
// receiving thread up, which costs more than to read it. So Receive leaves what comes
// in the queues for a moment, and reads it all at once, in two cases: in a rush, when
// one wake-up follows the other; and when the packets of a crowd came together the last
// time, as the adverts of a MASTER do each interval. A lone advert is never left.
const (
	// gatherPause is for how long packets are left in a rush.
	gatherPause = 300 * time.Microsecond
	// crowdPause is for how long they are left after the first of a crowd: fifty adverts
	// take some 350 µs to be sent.
	crowdPause = 500 * time.Microsecond
	// crowdLen is how many packets make a crowd.
	crowdLen = 16
	// rushGap is the longest time between two arrivals of a rush. It is longer than
	// both pauses, so that a rush lasts while more comes.
	rushGap = 2 * gatherPause
	// gatherMargin is how far away the deadline has to be, so that no timer is late. In a
	// rush less is enough. BFD sessions have a deadline every few milliseconds; without a
	// pause, whoever floods the wire could then wake the thread up for each of his packets.
	gatherMargin = 3 * time.Millisecond
	rushMargin   = 2 * time.Millisecond
)

// These are what the kernel is given; nobody changes them.
var (
	gatherTime = unix.NsecToTimespec(int64(gatherPause))
	crowdTime  = unix.NsecToTimespec(int64(crowdPause))
	atOnce     unix.Timespec
)

// A rush knows when packets arrived last.
type rush struct {
	last  time.Time
	on    bool
	crowd bool
}

// naps are for how long to sleep before a wait for packets, and after it, when the first
// has come; nil is not at all. After an event of the urgent descriptor there is no nap.
type naps struct {
	before, after *unix.Timespec
	urgent        int32
}

// arrived notes that n packets have arrived.
func (r *rush) arrived(now time.Time, n int) {
	r.on = now.Sub(r.last) < rushGap
	r.crowd = n >= crowdLen || r.on && r.crowd
	r.last = now
}

// naps returns how to wait if the deadline is so far away; forever says that there is
// none.
func (r *rush) naps(away time.Duration, forever bool) (n naps) {
	switch {
	case r.on && (forever || away >= rushMargin):
		n.before = &gatherTime
	case r.crowd && !r.on && (forever || away >= gatherMargin):
		n.after = &crowdTime
	}
	return n
}
