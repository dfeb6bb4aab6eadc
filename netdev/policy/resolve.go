package policy

import (
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// resolve finds out who has the places that jobs found taken. It corrects our
// own routes and rules, and leaves everybody else's.
func (t *Set) resolve(jobs []*job) ([]Change, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	ours, err := t.ours(jobs)
	if err != nil {
		return nil, err
	}
	var replace []*job
	for _, j := range jobs {
		p := t.placed[j.key]
		_, isRoute := j.key.(routeKey)
		switch {
		case !ours[j.key]:
			delete(t.placed, j.key)
			t.foreign[j.key] = t.occupant(j.key)
			j.occupied(t.foreign[j.key])
		case !isRoute || p != nil && p.request == j.content:
			t.put(j)
		case p != nil && t.otherHolds(p, j.device):
			j.state.Why = "another virtual router's route has its place"
		default:
			for _, q := range []*nl.NetlinkRequest{j.request, j.second} {
				if q != nil {
					q.Flags = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
				}
			}
			replace = append(replace, j)
		}
	}
	var repairs []Change
	for i, err := range t.carryOut(replace) {
		j := replace[i]
		if err != nil {
			j.state.Why = err.Error()
			continue
		}
		known := t.placed[j.key] != nil
		t.put(j)
		if known { // otherwise we adopted it, most likely unchanged
			repairs = append(repairs, Change{j.device.Name, "replace " + j.text})
		}
	}
	return repairs, nil
}

func (t *Set) otherHolds(p *placed, d *Device) bool {
	for name := range p.by {
		if name != d.Name && t.held(name) {
			return true
		}
	}
	return false
}

// ours returns the keys of all routes and rules that carry Protocol, of the
// families of jobs.
func (t *Set) ours(jobs []*job) (map[any]bool, error) {
	var rules, routes [2]bool
	for _, j := range jobs {
		switch key := j.key.(type) {
		case routeKey:
			routes[boolInt(key.to.Addr().Is6())] = true
		case Rule:
			rules[boolInt(key.IPv6)] = true
		}
	}
	found := map[any]bool{}
	for i := range 2 {
		if routes[i] {
			err := eachSeen(i == 1, routeFilter{protocol: Protocol}, func(r seenRoute) bool {
				found[r.key] = true
				return true
			})
			if err != nil {
				return nil, err
			}
		}
		if rules[i] {
			seen, err := seeRules(t.conn, i == 1)
			if err != nil {
				return nil, err
			}
			for _, r := range seen {
				if r.protocol == Protocol {
					found[r.rule] = true
				}
			}
		}
	}
	return found, nil
}

// occupant describes what has the place of a key and is not ours.
func (t *Set) occupant(key any) string {
	k, isRoute := key.(routeKey)
	if !isRoute {
		return "somebody else added the same rule"
	}
	text, looked := "somebody else's route has its place", 0
	_ = eachSeen(k.to.Addr().Is6(), routeFilter{table: k.table}, func(r seenRoute) bool {
		if r.key == k {
			text = r.String() + " has its place"
		}
		looked++
		return r.key != k && looked < maxFIB
	})
	return text
}
