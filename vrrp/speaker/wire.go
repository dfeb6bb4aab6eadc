package speaker

import (
	"net/netip"
	"slices"

	"holdfast/vrrp"
	"holdfast/vrrp/auth"
)

// A wire is a path of a router, and what is kept of it.
type wire struct {
	tx      PathTx
	guard   *auth.Guard // nil without authentication
	sent    uint64      // adverts; one to several peers counts once
	dropped [vrrp.NumDrops]uint64
}

// A PathStatus is what was sent and received on one path, since its router started.
type PathStatus struct {
	vrrp.PathHeard
	Name    string // "" for the first path
	Source  netip.Addr
	Sent    uint64
	Dropped [vrrp.NumDrops]uint64
	// SendFailure is why nothing can be sent on its interface, as in Status.
	SendFailure *SendFailure
}

// first returns the first path.
func (v *TxConfig) first() PathTx {
	return PathTx{IfIndex: v.IfIndex, Source: v.Source, Wrap: v.Wrap, Multicast: v.Multicast, Peers: v.Peers, Header: v.Header,
		WrapBackup: v.WrapBackup, BackupHeader: v.BackupHeader}
}

// layOut makes the wires of what the configuration and the TxConfig agree on. A path
// that only one of them knows, between two steps of a reload, is left out.
func (r *router) layOut() {
	c, was := *r.config(), r.wires
	r.wires = []wire{{tx: r.tx.first()}}
	paths := c.Paths
	c.Paths = nil
	for _, p := range paths {
		if i := slices.IndexFunc(r.tx.Also, func(tx PathTx) bool { return tx.Name == p.Name }); i >= 0 {
			r.wires = append(r.wires, wire{tx: r.tx.Also[i]})
			c.Paths = append(c.Paths, p)
		}
	}
	own := make([]netip.Addr, len(r.wires))
	r.renewGuards(&c)
	for i := range r.wires {
		w := &r.wires[i]
		own[i] = w.tx.Source
		w.guard = r.guards[w.tx.Name]
		if j := slices.IndexFunc(was, func(old wire) bool { return old.tx.Name == w.tx.Name }); j >= 0 {
			w.sent, w.dropped = was[j].sent, was[j].dropped
		}
	}
	r.paths.Configure(&c, own)
}

// enrol makes the packets for a router find it; expel undoes that.
func (s *Speaker) enrol(r *router) {
	c := r.config()
	for i := range r.wires {
		s.byKey[key{r.wires[i].tx.IfIndex, c.Family, c.VRID}] = place{r, i}
	}
}

func (s *Speaker) expel(r *router) {
	c := r.config()
	for i := range r.wires {
		k := key{r.wires[i].tx.IfIndex, c.Family, c.VRID}
		if s.byKey[k].router == r {
			delete(s.byKey, k)
		}
	}
}

// refresh lays a router's paths out anew and renders its frames.
func (s *Speaker) refresh(r *router) {
	s.expel(r)
	r.refresh()
	s.enrol(r)
	if r.config().Fast {
		s.reviewSessions(r)
	}
}

// appendPaths appends the state of the paths of a router, the first path first.
func (s *Speaker) appendPaths(list []PathStatus, r *router) []PathStatus {
	heard := r.paths.Heard()
	for i := range r.wires {
		w := &r.wires[i]
		list = append(list, PathStatus{
			PathHeard: heard[i], Name: w.tx.Name, Source: w.tx.Source,
			Sent: w.sent, Dropped: w.dropped, SendFailure: s.sendFailure(w.tx.IfIndex),
		})
	}
	return list
}

// sendFailure returns why nothing can be sent on an interface, nil if it can.
func (s *Speaker) sendFailure(ifindex int) *SendFailure {
	failure, ok := s.sendFailures[ifindex]
	if !ok {
		return nil
	}
	found := failure // only this is allocated
	return &found
}
