package netdev

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// policyProtocol marks our routes and rules, as AddressProtocol does addresses.
const policyProtocol = AddressProtocol

// A PolicyState is what became of one route or rule of a device.
type PolicyState struct {
	Text    string // as PolicyRoute and PolicyRule call themselves
	Rule    bool
	Present bool // it is in the kernel, ours or, of a rule, the same of somebody else's
	// Why is what keeps it from being there, while the device is claimed; of
	// one that is present, what is strange about it. "": nothing.
	Why string
}

// A placed is a route or rule of ours in the kernel.
type placed struct {
	by map[string]bool // the devices that want it
	// request is what put it there; one that differs has to replace it.
	request string
	// doubtful says that another may have taken its place since.
	doubtful bool
}

// A policyJob is one route or rule that is to be there.
type policyJob struct {
	device  *device
	state   *PolicyState
	request *nl.NetlinkRequest
	second  *nl.NetlinkRequest // if that is refused; nil: none
	key     any                // a routeKey, or the normal PolicyRule
	text    string
	content string // of request
}

func newPolicyJob(d *device, state *PolicyState, q *nl.NetlinkRequest, key any, text string) *policyJob {
	c := *q
	c.Seq, c.Flags = 0, 0 // these say nothing of what is asked for
	return &policyJob{device: d, state: state, request: q, key: key, text: text, content: string(c.Serialize())}
}

// carryOut carries out the jobs' requests, and where one is refused the second;
// what became of each is in the order of the jobs.
func (h *Host) carryOut(jobs []*policyJob) []error {
	requests := make([]*nl.NetlinkRequest, len(jobs))
	for i, j := range jobs {
		requests[i] = j.request
	}
	results := h.conn.do(requests)
	if results == nil {
		return make([]error, len(jobs))
	}
	var again []*nl.NetlinkRequest
	var of []int
	for i, j := range jobs {
		if results[i] != nil && !errors.Is(results[i], unix.EEXIST) && j.second != nil {
			again, of = append(again, j.second), append(of, i)
		}
	}
	second := h.conn.do(again)
	for i := range again {
		if second == nil {
			results[of[i]] = nil
		} else {
			results[of[i]] = second[i]
		}
	}
	return results
}

// policy brings the routes and rules of devices to their states: there while
// claimed, away while bare. What others put there is left, and only what
// carries our mark is taken away or replaced. It returns what it had to change;
// what could not be had is in the devices' states.
func (h *Host) policy(devices []*device) ([]Repair, error) {
	var jobs []*policyJob
	find := &names{indexes: map[string]int{}, tables: map[string]uint32{}}
	wanted := map[any]map[string]bool{}
	var idle []*device
	for _, d := range devices {
		switch {
		case d.state == Claimed:
			d.tidied = false
			jobs = append(jobs, h.policyJobs(d, find, wanted)...)
		case d.state == Bare && !d.tidied:
			idle = append(idle, d)
		}
	}
	// Routes come before the rules that lead to them.
	slices.SortStableFunc(jobs, func(a, b *policyJob) int {
		return cmp.Compare(boolInt(a.state.Rule), boolInt(b.state.Rule))
	})
	repairs, err := h.place(jobs)
	return repairs, errors.Join(err, h.unplace(devices, idle, wanted, find))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// policyJobs lists what a claimed device wants, notes their keys, and begins
// the device's states anew.
func (h *Host) policyJobs(d *device, find *names, wanted map[any]map[string]bool) []*policyJob {
	d.policies = policyStates(&d.spec)
	var jobs []*policyJob
	find.own = d.index
	want := func(key any) {
		if wanted[key] == nil {
			wanted[key] = map[string]bool{}
		}
		wanted[key][d.spec.Name] = true
	}
	for i := range d.spec.Routes {
		r, state := &d.spec.Routes[i], &d.policies[i]
		table, err := r.table(find)
		if err == nil {
			key := r.key(table)
			want(key)
			var q *nl.NetlinkRequest
			if q, err = r.addRequest(key, find, false); err == nil {
				j := newPolicyJob(d, state, q, key, r.String())
				if r.bending() {
					j.second, _ = r.addRequest(key, find, true)
				}
				jobs = append(jobs, j)
			}
		}
		if err != nil {
			state.Why = err.Error()
		}
	}
	for i := range d.spec.Rules {
		r := &d.spec.Rules[i]
		key := r.normal()
		want(key)
		q := ruleRequest(unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, r)
		jobs = append(jobs, newPolicyJob(d, &d.policies[len(d.spec.Routes)+i], q, key, r.String()))
	}
	return jobs
}

// policyStates are those of a device that holds nothing.
func policyStates(s *Spec) []PolicyState {
	states := make([]PolicyState, 0, len(s.Routes)+len(s.Rules))
	for _, r := range s.Routes {
		states = append(states, PolicyState{Text: r.String()})
	}
	for _, r := range s.Rules {
		states = append(states, PolicyState{Text: r.String(), Rule: true})
	}
	return states
}

// place puts routes and rules there that are not.
func (h *Host) place(jobs []*policyJob) ([]Repair, error) {
	var repairs []Repair
	var doubtful []*policyJob
	for i, err := range h.carryOut(jobs) {
		j := jobs[i]
		switch p := h.placed[j.key]; {
		case err == nil:
			h.put(j)
			repairs = append(repairs, Repair{j.device.spec.Name, "add " + j.text})
		case !errors.Is(err, unix.EEXIST):
			delete(h.placed, j.key)
			j.state.Why = err.Error()
		case p != nil && p.request == j.content && !p.doubtful:
			h.put(j)
		case h.foreign[j.key] != "":
			j.occupied(h.foreign[j.key])
		default:
			doubtful = append(doubtful, j)
		}
	}
	changed, err := h.resolve(doubtful)
	return append(repairs, changed...), err
}

// put notes that a job's route or rule is there, as it asked for it.
func (h *Host) put(j *policyJob) {
	p := h.placed[j.key]
	if p == nil {
		p = &placed{by: map[string]bool{}}
		h.placed[j.key] = p
	}
	p.by[j.device.spec.Name], p.request, p.doubtful = true, j.content, false
	delete(h.foreign, j.key)
	j.state.Present = true
}

// occupied notes that somebody else's has the place.
func (j *policyJob) occupied(by string) {
	j.state.Why = by
	j.state.Present = j.state.Rule // rules with one key do the same
}

// resolve looks who has the places of jobs that are taken. What is ours is made
// as it should be; what is not is left.
func (h *Host) resolve(jobs []*policyJob) ([]Repair, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	ours, err := h.ours(jobs)
	if err != nil {
		return nil, err
	}
	var replace []*policyJob
	for _, j := range jobs {
		p := h.placed[j.key]
		_, isRoute := j.key.(routeKey)
		switch {
		case !ours[j.key]:
			delete(h.placed, j.key)
			h.foreign[j.key] = h.occupant(j.key)
			j.occupied(h.foreign[j.key])
		case !isRoute || p != nil && p.request == j.content:
			h.put(j)
		case p != nil && h.otherHolds(p, j.device):
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
	var repairs []Repair
	for i, err := range h.carryOut(replace) {
		j := replace[i]
		if err != nil {
			j.state.Why = err.Error()
			continue
		}
		known := h.placed[j.key] != nil
		h.put(j)
		if known { // otherwise it is adopted, and most likely as it was
			repairs = append(repairs, Repair{j.device.spec.Name, "replace " + j.text})
		}
	}
	return repairs, nil
}

func (h *Host) otherHolds(p *placed, d *device) bool {
	for name := range p.by {
		if other := h.devices[name]; other != nil && other != d && other.state != Bare {
			return true
		}
	}
	return false
}

// ours returns the keys of all routes and rules with our mark, of the kinds
// that jobs are about.
func (h *Host) ours(jobs []*policyJob) (map[any]bool, error) {
	var rules, routes [2]bool
	for _, j := range jobs {
		switch key := j.key.(type) {
		case routeKey:
			routes[boolInt(key.to.Addr().Is6())] = true
		case PolicyRule:
			rules[boolInt(key.IPv6)] = true
		}
	}
	found := map[any]bool{}
	for i := range 2 {
		if routes[i] {
			err := seeRoutes(i == 1, routeFilter{protocol: policyProtocol}, func(r seenRoute) bool {
				found[r.key] = true
				return true
			})
			if err != nil {
				return nil, err
			}
		}
		if rules[i] {
			seen, err := seeRules(h.conn, i == 1)
			if err != nil {
				return nil, err
			}
			for _, r := range seen {
				if r.protocol == policyProtocol {
					found[r.rule] = true
				}
			}
		}
	}
	return found, nil
}

// occupant says what has the place of a key and is not ours.
func (h *Host) occupant(key any) string {
	k, isRoute := key.(routeKey)
	if !isRoute {
		return "somebody else put the same rule there"
	}
	text, looked := "somebody else's route has its place", 0
	_ = seeRoutes(k.to.Addr().Is6(), routeFilter{table: k.table}, func(r seenRoute) bool {
		if r.key == k {
			text = r.String() + " has its place"
		}
		looked++
		return r.key != k && looked < maxFIB
	})
	return text
}

// unplace takes away what devices have placed and do not want any more, and all
// that idle devices have.
func (h *Host) unplace(devices, idle []*device, wanted map[any]map[string]bool, find *names) error {
	settled := map[string]bool{}
	for _, d := range devices {
		if d.state != Muted {
			settled[d.spec.Name] = true
		}
	}
	var keys []any
	for key, p := range h.placed {
		maps.DeleteFunc(p.by, func(name string, _ bool) bool { return settled[name] && !wanted[key][name] })
		if len(p.by) == 0 {
			keys = append(keys, key)
		}
	}
	// What a former run placed is not known, but by its specification.
	for _, d := range idle {
		d.policies = nil
		for _, key := range policyKeys(&d.spec, find) {
			if h.placed[key] == nil {
				keys = append(keys, key)
			}
		}
	}
	for _, key := range keys {
		delete(h.placed, key)
		delete(h.foreign, key)
	}
	err := h.delete(keys)
	for _, d := range idle {
		d.tidied = err == nil
	}
	return err
}

// policyKeys are the keys of all that a spec wants, as far as they can be told.
func policyKeys(s *Spec, l lookup) []any {
	var keys []any
	for i := range s.Routes {
		if table, err := s.Routes[i].table(l); err == nil {
			keys = append(keys, s.Routes[i].key(table))
		}
	}
	for i := range s.Rules {
		keys = append(keys, s.Rules[i].normal())
	}
	return keys
}

// delete takes away what is ours of keys: rules before the routes that they
// lead to.
func (h *Host) delete(keys []any) error {
	var requests []*nl.NetlinkRequest
	for _, key := range keys {
		if r, ok := key.(PolicyRule); ok {
			requests = append(requests, ruleRequest(unix.RTM_DELRULE, 0, &r))
		}
	}
	for _, key := range keys {
		if k, ok := key.(routeKey); ok {
			requests = append(requests, k.deleteRequest())
		}
	}
	var errs []error
	for _, err := range h.conn.do(requests) {
		if err != nil && !gone(err) && !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("remove route or rule: %w", err))
		}
	}
	return errors.Join(errs...)
}

// claimPolicy puts the routes and rules of devices there that were claimed.
func (h *Host) claimPolicy(names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var claimed []*device
	for _, name := range names {
		// One that is released meanwhile has lost them by that.
		if d := h.devices[name]; d != nil && d.state == Claimed {
			claimed = append(claimed, d)
		}
	}
	_, _ = h.policy(claimed) // Reconcile tries again
}

// Policies returns what became of the routes and rules of a device: routes
// first, each in the order of the Spec. Of one that is not claimed nothing is
// present.
func (h *Host) Policies(name string) []PolicyState {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.devices[name]
	switch {
	case d == nil:
		return nil
	case len(d.policies) == 0:
		return policyStates(&d.spec)
	}
	return slices.Clone(d.policies)
}

// Doubt has the next Reconcile look whether routes and rules that are there are
// still ours.
func (h *Host) Doubt() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.doubt(func(any) bool { return true })
}

func (h *Host) doubt(whether func(key any) bool) {
	for key, p := range h.placed {
		p.doubtful = p.doubtful || whether(key)
	}
	maps.DeleteFunc(h.foreign, func(key any, _ string) bool { return whether(key) })
}

// RouteConcerns reports whether an event may mean that a route or rule of ours
// is not there, or that the place of one has become free, so that Reconcile has
// something to do.
func (h *Host) RouteConcerns(e RouteEvent) bool {
	if e.Ours && !e.Gone {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	found := false
	h.doubt(func(key any) bool {
		k, isRoute := key.(routeKey)
		hit := e.Lost || isRoute == e.Prefix.IsValid() && (!isRoute || k.to == e.Prefix && k.table == e.Table)
		found = found || hit
		return hit
	})
	return found
}

// sweepPolicy removes routes and rules with our mark that no device wants that
// is claimed or quiet.
func (h *Host) sweepPolicy() ([]Repair, error) {
	find := &names{indexes: map[string]int{}, tables: map[string]uint32{}}
	wanted := map[any]bool{}
	for _, d := range h.devices {
		if d.state != Bare {
			for _, key := range policyKeys(&d.spec, find) {
				wanted[key] = true
			}
		}
	}
	var repairs []Repair
	var requests []*nl.NetlinkRequest
	remove := func(kind int, key any, body []byte, text string) {
		if !wanted[key] {
			q := nl.NewNetlinkRequest(kind, 0)
			q.AddRawData(body) // as the kernel showed it
			requests = append(requests, q)
			repairs = append(repairs, Repair{Text: "remove " + text + ", which a former run left"})
		}
	}
	for _, v6 := range []bool{false, true} {
		rules, err := seeRules(h.conn, v6)
		if err != nil {
			return nil, fmt.Errorf("sweep: %w", err)
		}
		for _, r := range rules {
			if r.protocol == policyProtocol && !forEgress(r.rule.Table) {
				remove(unix.RTM_DELRULE, r.rule, r.body, r.rule.String())
			}
		}
		err = seeRoutes(v6, routeFilter{protocol: policyProtocol}, func(r seenRoute) bool {
			if !forEgress(r.key.table) {
				remove(unix.RTM_DELROUTE, r.key, r.body, fmt.Sprintf("route %v table %d", r.key.to, r.key.table))
			}
			return true
		})
		if err != nil {
			return nil, fmt.Errorf("sweep: %w", err)
		}
	}
	var errs []error
	for i, err := range h.conn.do(requests) {
		if err != nil && !gone(err) && !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("%s: %w", repairs[i].Text, err))
		}
	}
	return repairs, errors.Join(errs...)
}
