package speaker

import (
	"net/netip"
	"time"

	"holdfast/vrrp"
	"holdfast/vrrp/auth"
	"holdfast/vrrp/due"
)

// A Router is a virtual router to be run.
type Router struct {
	Config   vrrp.Config
	Tx       TxConfig
	Announce AnnounceConfig
	Events   []vrrp.Event // delivered before any other event, in order; the last starts the router
	// Marks are the sequence numbers to continue with, by the name of the path.
	Marks map[string]auth.Marks
}

// group is a running vrrp.Group.
type group struct {
	*vrrp.Group
	name    string // "" for a lone router
	routers []*router
	timer   due.Item[*group]
}

// router is a member of a running group.
type router struct {
	group    *group
	member   int
	tx       TxConfig
	announce AnnounceConfig
	burst    burst
	// advert and farewell are frames ready to be sent: an advert with priority,
	// and one with priority 0.
	advert, farewell []Frame
	priority         uint8
	seq              uint64 // of the last order
	paths            vrrp.Paths
	wires            []wire                 // path by path
	guards           map[string]*auth.Guard // by the name of the path; see renewGuards
	marks            map[string]auth.Marks  // to continue with
	counters         Counters
	reported         reportedErrors
	refused          refusedTable
	stopped          bool // it has released everything
}

// Counters count what the speaker saw of one router.
type Counters struct {
	Since           time.Time             // when counting began
	Dropped         [vrrp.NumDrops]uint64 // refused adverts by reason
	LastError       vrrp.Drop             // the latest protocol error (RFC 6527)
	IntervalDiffers uint64                // accepted adverts with another interval than ours
	AddressMismatch uint64                // accepted adverts with other addresses than ours
	Announced       uint64                // gratuitous ARP and neighbour advertisement frames
	// Late is the number of adverts sent more than half an interval late, and
	// MaxLate the longest delay of any advert.
	Late    uint64
	MaxLate time.Duration
}

func (r *router) machine() *vrrp.Machine { return r.group.Member(r.member) }
func (r *router) config() *vrrp.Config   { return r.machine().Config() }

// key identifies the router that a packet is for.
type key struct {
	ifindex int
	family  vrrp.Family
	vrid    uint8
}

// place is where a packet belongs: a path of a router.
type place struct {
	router *router
	path   int
}

// frames returns the frames of an advert with a priority: one to the
// multicast group, or one to each unicast peer.
func (r *router) frames(priority uint8) []Frame {
	if priority == vrrp.PriorityStop {
		return r.farewell
	}
	if priority != r.priority {
		r.priority = priority
		r.advert = r.render(priority)
	}
	return r.advert
}

// refresh lays out the paths and renders the frames again after a change of
// configuration.
func (r *router) refresh() {
	r.layOut()
	r.priority = r.machine().Priority()
	r.advert = r.render(r.priority)
	r.farewell = r.render(vrrp.PriorityStop)
}

// nextDeadline returns the earliest deadline of the machines and the
// announcements.
func (g *group) nextDeadline() time.Time {
	d := g.Deadline()
	for _, r := range g.routers {
		d = earliest(d, earliest(r.burst.deadline(), r.refused.next))
	}
	return d
}

func (r *router) late(by time.Duration) {
	if by > r.counters.MaxLate {
		r.counters.MaxLate = by
	}
	if by > r.config().Interval/2 {
		r.counters.Late++
	}
}

// Status is the state of a router, for display.
type Status struct {
	Group    string // "" for a lone router
	Config   vrrp.Config
	Source   netip.Addr
	Machine  vrrp.Status
	Resume   vrrp.Resume           // for the process that replaces this one
	Marks    map[string]auth.Marks // as Resume, by the name of the path; nil without sequence numbers
	Counters Counters
	Paths    []PathStatus // the first path first
	// Refused are the routers whose adverts for this one are refused, at most 16.
	// RefusedForgotten is how many more there were.
	Refused          []RefusedSpeaker
	RefusedForgotten uint64
	// SendFailure is why nothing can be sent on its interface. It is nil if the
	// last frame was sent.
	SendFailure *SendFailure
}
